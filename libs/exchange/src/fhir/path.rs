//! Where in a resource something is.

/// Where an element is.
pub(super) struct Path<'a> {
    parent: Option<&'a Path<'a>>,
    step: Step<'a>,
    /// Levels of objects and lists from the root.
    pub(super) depth: usize,
}

enum Step<'a> {
    Root,
    Field(&'a str),
    Item(usize),
}

impl<'a> Path<'a> {
    pub(super) fn root() -> Self {
        Path { parent: None, step: Step::Root, depth: 0 }
    }

    pub(super) fn field(&'a self, name: &'a str) -> Self {
        Path { parent: Some(self), step: Step::Field(name), depth: self.depth + 1 }
    }

    pub(super) fn item(&'a self, index: usize) -> Self {
        Path { parent: Some(self), step: Step::Item(index), depth: self.depth }
    }

    pub(super) fn deeper(mut self) -> Self {
        self.depth += 1;
        self
    }

    /// `a.b[0].c`. A name that does not look like an element's is somebody's text, and becomes `?`.
    pub(super) fn text(&self) -> String {
        let before = self.parent.map(Path::text).unwrap_or_default();
        match self.step {
            Step::Root => before,
            Step::Item(index) => format!("{before}[{index}]"),
            Step::Field(name) => {
                let bare = name.strip_prefix('_').unwrap_or(name);
                let good = (1..=40).contains(&bare.len()) && bare.bytes().all(|b| b.is_ascii_alphanumeric());
                let name = if good { name } else { "?" };
                if before.is_empty() { name.to_owned() } else { format!("{before}.{name}") }
            }
        }
    }
}
