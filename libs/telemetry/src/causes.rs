//! Errors with what caused them.

use std::{error::Error, fmt};

/// Shows an error and the errors behind it, each after a colon: what failed, and why.
pub struct Causes<'a>(pub &'a dyn Error);

impl fmt::Display for Causes<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}", self.0)?;
        // An error that is shown as its cause is not said twice.
        let mut said = self.0.to_string();
        let mut cause = self.0.source();
        while let Some(error) = cause {
            let says = error.to_string();
            if says != said {
                write!(f, ": {says}")?;
            }
            (said, cause) = (says, error.source());
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[derive(Debug)]
    struct Failed(&'static str, Option<Box<Failed>>);

    impl fmt::Display for Failed {
        fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
            f.write_str(self.0)
        }
    }

    impl Error for Failed {
        fn source(&self) -> Option<&(dyn Error + 'static)> {
            self.1.as_deref().map(|cause| cause as _)
        }
    }

    #[test]
    fn every_cause_is_said_once() {
        let disk = Failed("the disk is full", None);
        let again = Failed("the journal cannot be written", Some(Box::new(disk)));
        let error = Failed("the journal cannot be written", Some(Box::new(again)));
        assert_eq!(Causes(&error).to_string(), "the journal cannot be written: the disk is full");
    }
}
