//! A new password from the terminal, unseen and twice, or from standard input.

use std::io::{BufRead as _, IsTerminal as _, Read as _, Write as _};

use rustix::termios::{LocalModes, OptionalActions, Termios, tcgetattr, tcsetattr};

/// More is no password.
const MAX_BYTES: u64 = 4096;

/// Reads a new password for an account.
///
/// # Errors
/// One clause for the operator.
pub fn read_new_password(name: &str) -> Result<String, String> {
    if !std::io::stdin().is_terminal() {
        return read_line();
    }
    let first = ask(&format!("New password for {name}: "))?;
    if ask("Once more: ")? == first {
        Ok(first)
    } else {
        Err("the two are not the same; nothing is changed".to_owned())
    }
}

fn ask(prompt: &str) -> Result<String, String> {
    let mut terminal = std::io::stderr();
    let _ = write!(terminal, "{prompt}").and_then(|()| terminal.flush());
    let hidden = Hidden::new();
    let line = read_line();
    drop(hidden);
    let _ = writeln!(terminal);
    line
}

fn read_line() -> Result<String, String> {
    let mut line = String::new();
    let read = std::io::stdin().lock().take(MAX_BYTES).read_line(&mut line);
    read.map_err(|error| format!("the password cannot be read: {error}"))?;
    let password = line.trim_end_matches(['\r', '\n']);
    if password.is_empty() {
        Err("no password was given; nothing is changed".to_owned())
    } else {
        Ok(password.to_owned())
    }
}

/// While it lives, the terminal shows nothing of what is typed.
struct Hidden(Option<Termios>);

impl Hidden {
    fn new() -> Self {
        let stdin = std::io::stdin();
        let Ok(before) = tcgetattr(&stdin) else { return Self(None) };
        let mut silent = before.clone();
        silent.local_modes.remove(LocalModes::ECHO);
        let _ = tcsetattr(&stdin, OptionalActions::Flush, &silent);
        Self(Some(before))
    }
}

impl Drop for Hidden {
    fn drop(&mut self) {
        if let Some(before) = &self.0 {
            let _ = tcsetattr(std::io::stdin(), OptionalActions::Flush, before);
        }
    }
}
