//! Processes that leave nothing behind.

use std::{
    io,
    ops::{Deref, DerefMut},
    process::{Child, Command, Stdio},
};

/// A process that is killed when whoever started it ends, however that ends.
pub(crate) struct Tied {
    child: Child,
    guard: Child,
}

impl Tied {
    pub(crate) fn spawn(command: &mut Command) -> io::Result<Self> {
        let child = command.spawn()?;
        // The guard waits until its pipe is closed, also by a death; the terminal does not end it before.
        let kill = "cat > /dev/null; kill -9 \"$0\"";
        let mut guard = Command::new("setsid");
        guard.args(["sh", "-c", kill]).arg(child.id().to_string());
        guard.stdin(Stdio::piped()).stdout(Stdio::null()).stderr(Stdio::null());
        Ok(Self { child, guard: guard.spawn()? })
    }
}

impl Drop for Tied {
    fn drop(&mut self) {
        let _already_gone = self.guard.kill(); // first: the number may soon be another process's
        let _already_waited_for = self.guard.wait();
    }
}

impl Deref for Tied {
    type Target = Child;

    fn deref(&self) -> &Child {
        &self.child
    }
}

impl DerefMut for Tied {
    fn deref_mut(&mut self) -> &mut Child {
        &mut self.child
    }
}
