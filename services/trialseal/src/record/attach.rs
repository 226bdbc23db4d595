//! What goes with a command beside its envelope: nothing, one file, or several.

use super::methods;
use anyhow::{Context, Result, ensure};
use prost_types::{FileDescriptorSet, field_descriptor_proto::Label};

/// Checks that a command of `kind` takes so many attachments.
pub(super) fn check(kind: &str, attached: usize) -> Result<()> {
    let most = most(kind)?;
    ensure!(attached == 0 || most > 0, "{kind} takes no attachment");
    ensure!(attached <= most, "{kind} takes one attachment, and {attached} were given");
    Ok(())
}

/// The most attachments of a command of `kind`: the second field of its message tells.
fn most(kind: &str) -> Result<usize> {
    let descriptors: FileDescriptorSet = prost::Message::decode(proto::DESCRIPTORS).context("the descriptors")?;
    let (_, _, path) = methods()?.into_iter().find(|(known, ..)| known == kind).context("no such kind of command")?;
    let request = format!("{}Request", path.rsplit('/').next().unwrap_or_default());
    let messages = descriptors.file.iter().filter(|file| path.starts_with(&format!("/{}.", file.package())));
    let message = messages.flat_map(|file| &file.message_type).find(|message| message.name() == request);
    Ok(match message.and_then(|message| message.field.get(1)).map(|field| field.label()) {
        None => 0,
        Some(Label::Repeated) => usize::MAX,
        Some(_) => 1,
    })
}

#[cfg(test)]
#[allow(clippy::unwrap_used)]
mod tests {
    use super::*;

    #[test]
    fn the_message_of_a_command_tells_what_goes_with_it() {
        for (kind, expected) in [("withdraw-consent", 0), ("publish-document", 1), ("record-screening", usize::MAX)] {
            assert_eq!(most(kind).unwrap(), expected, "{kind}");
        }
        assert!(check("withdraw-consent", 0).is_ok() && check("withdraw-consent", 1).is_err());
        assert!(check("publish-document", 1).is_ok() && check("publish-document", 2).is_err());
        assert!(check("record-screening", 9).is_ok() && check("no-such-kind", 0).is_err());
    }
}
