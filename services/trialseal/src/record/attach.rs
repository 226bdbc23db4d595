//! What goes with a command beside its envelope: nothing, one file, or several.

use anyhow::{Context, Result, ensure};
use prost_types::{FileDescriptorSet, field_descriptor_proto::Label};
use vocabulary::command::Kind;

/// Checks that a command of `kind` takes so many attachments.
pub(super) fn check(kind: &Kind, attached: usize) -> Result<()> {
    let (most, name) = (most(kind)?, kind.name);
    ensure!(attached == 0 || most > 0, "{name} takes no attachment");
    ensure!(attached <= most, "{name} takes one attachment, and {attached} were given");
    Ok(())
}

/// The most attachments of a command of `kind`: the second field of its message tells.
fn most(kind: &Kind) -> Result<usize> {
    if !kind.attached {
        return Ok(0);
    }
    let descriptors: FileDescriptorSet = prost::Message::decode(proto::DESCRIPTORS).context("the descriptors")?;
    let (path, request) = (kind.path(), format!("{}Request", kind.rpc));
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

    fn kind(name: &str) -> &'static Kind {
        vocabulary::command::kinds().find(|kind| kind.name == name).unwrap()
    }

    #[test]
    fn the_message_of_a_command_tells_what_goes_with_it() {
        for (name, expected) in [("withdraw-consent", 0), ("publish-document", 1), ("record-screening", usize::MAX)] {
            assert_eq!(most(kind(name)).unwrap(), expected, "{name}");
        }
        assert!(check(kind("withdraw-consent"), 0).is_ok() && check(kind("withdraw-consent"), 1).is_err());
        assert!(check(kind("publish-document"), 1).is_ok() && check(kind("publish-document"), 2).is_err());
        assert!(check(kind("record-screening"), 9).is_ok());
    }

    #[test]
    fn the_table_says_of_every_command_whether_something_goes_with_it() {
        for kind in vocabulary::command::kinds() {
            let alone = Kind { attached: true, ..*kind };
            assert_eq!(most(&alone).unwrap() > 0, kind.attached, "{}", kind.name);
        }
    }
}
