//! `streampulse backup`: everything that the service keeps, in one file, also while it runs.

pub mod archive;

use std::fs::{File, OpenOptions};
use std::io::{self, BufWriter, Write};
use std::os::unix::fs::{MetadataExt as _, OpenOptionsExt as _};
use std::path::{Path, PathBuf};

use rustix::fs::{Dir, Mode, OFlags, openat};

use self::archive::{CONFIG, EVIDENCE, Manifest, SECRETS, Writer};
use super::state::told;
use super::{EX_CANTCREAT, EX_CONFIG, EX_NOINPUT, complain, say};
use crate::clock::{Clock as _, SystemClock};
use crate::config::{Overrides, followed};
use crate::store::{FILE_NAME, copy_database, scratch};

/// Arguments of `streampulse backup`.
#[derive(Debug, clap::Args)]
pub struct BackupArguments {
    /// Where to; `-` is standard output.
    #[arg(value_name = "FILE")]
    file: PathBuf,
    /// Replace the file when it is there.
    #[arg(long)]
    replace: bool,
}

/// Writes the archive.
pub fn run(config_file: &Path, arguments: &BackupArguments) -> u8 {
    let config = match crate::config::load_with(config_file, &Overrides::from_env()) {
        Ok(loaded) => loaded.config,
        Err(problems) => return complain(&problems.to_string(), EX_CONFIG),
    };
    let state_dir = config.storage.path;
    let done = if arguments.file.as_os_str() == "-" {
        to_standard_output(config_file, &state_dir)
    } else {
        to_file(config_file, &state_dir, arguments)
    };
    match done {
        Ok(manifest) => {
            let bytes: u64 = manifest.members.iter().map(|member| member.bytes).sum();
            let pictures = manifest.members.iter().filter(|member| archive::picture(&member.name).is_some()).count();
            let summary = format!(
                "{}: configuration, database (schema {}) and {pictures} pictures of incidents, {}.\nIt holds the passwords of \
                 cameras: keep it where nobody else reads it. `streampulse restore --check FILE` looks it over.",
                arguments.file.display(),
                manifest.schema,
                size(bytes)
            );
            if arguments.file.as_os_str() != "-" {
                say(&summary);
            }
            0
        }
        Err((message, code)) => complain(&message, code),
    }
}

type Failure = (String, u8);

fn to_file(config_file: &Path, state_dir: &Path, arguments: &BackupArguments) -> Result<Manifest, Failure> {
    let file = &arguments.file;
    if !arguments.replace && file.symlink_metadata().is_ok() {
        let message = format!("{}: is there already; choose another name, or --replace it", file.display());
        return Err((message, EX_CANTCREAT));
    }
    let number = getrandom::u64().map_err(|error| (error.to_string(), EX_CANTCREAT))?;
    let beside = |what: &str| {
        let mut name = file.as_os_str().to_owned();
        name.push(format!(".{what}-{number:016x}"));
        Temporary(PathBuf::from(name))
    };
    let (part, copy) = (beside("part"), beside("database"));
    let cannot = |error: io::Error| (format!("{}: cannot be written: {error}", file.display()), EX_CANTCREAT);
    let out = OpenOptions::new().write(true).create_new(true).mode(0o600).open(&part.0).map_err(cannot)?;
    let (out, manifest) = write(BufWriter::new(out), &copy, config_file, state_dir)?;
    let out = out.into_inner().map_err(|error| cannot(error.into_error()))?;
    // The name says that it is whole; so must the disk, when the power goes.
    out.sync_all().map_err(cannot)?;
    std::fs::rename(&part.0, file).map_err(cannot)?;
    Ok(manifest)
}

fn to_standard_output(config_file: &Path, state_dir: &Path) -> Result<Manifest, Failure> {
    let number = getrandom::u64().map_err(|error| (error.to_string(), EX_CANTCREAT))?;
    let copy = Temporary(scratch().join(format!("streampulse-backup-{number:016x}")));
    let (mut out, manifest) = write(io::stdout().lock(), &copy, config_file, state_dir)?;
    out.flush().map_err(|error| (format!("standard output: {error}"), EX_CANTCREAT))?;
    Ok(manifest)
}

/// Copies the database first, then what belongs to it: a picture that the database names is there before it.
fn write<W: Write>(out: W, copy: &Temporary, config_file: &Path, state_dir: &Path) -> Result<(W, Manifest), Failure> {
    if !state_dir.join(FILE_NAME).exists() {
        let message = match state_dir.symlink_metadata() {
            Err(error) if error.kind() == io::ErrorKind::PermissionDenied => cannot_read(state_dir, &error),
            _ => format!(
                "{}: there is no database yet; the service makes it at its first start",
                state_dir.join(FILE_NAME).display()
            ),
        };
        return Err((message, EX_NOINPUT));
    }
    let schema = copy_database(state_dir, &copy.0).map_err(|error| (told(&error), error.exit_code()))?;
    let mut writer = Writer::new(out, SystemClock.now());
    let mut add = |name: &str, file: File, path: &Path| {
        let said = |error: io::Error| (format!("{}: cannot be backed up: {error}", path.display()), EX_CANTCREAT);
        let bytes = file.metadata().map_err(said)?.size();
        writer.add(name, bytes, &mut io::BufReader::new(file)).map_err(said)
    };
    let read = |path: &Path| File::open(path).map_err(|error| (cannot_read(path, &error), EX_NOINPUT));
    let real = followed(config_file).map_err(|error| (cannot_read(config_file, &error), EX_NOINPUT))?;
    add(CONFIG, read(&real)?, config_file)?;
    add(FILE_NAME, read(&copy.0)?, &copy.0)?;
    // The service's user may write there, and root follows no link of theirs.
    let directory = read(state_dir)?;
    for name in SECRETS {
        if let Some(file) = regular(&directory, name) {
            add(name, file, &state_dir.join(name))?;
        }
    }
    let flags = OFlags::RDONLY | OFlags::DIRECTORY | OFlags::NOFOLLOW | OFlags::CLOEXEC;
    if let Ok(pictures) = openat(&directory, EVIDENCE, flags, Mode::empty()) {
        let pictures = File::from(pictures);
        for name in names(&pictures) {
            let member = format!("{EVIDENCE}/{name}");
            // One that is out of its quota goes meanwhile.
            if archive::picture(&member).is_some()
                && let Some(file) = regular(&pictures, &name)
            {
                add(&member, file, &state_dir.join(&member))?;
            }
        }
    }
    writer.finish(schema).map_err(|error| (format!("cannot be written: {error}"), EX_CANTCREAT))
}

/// The names in a directory, in order.
pub fn names(directory: &File) -> Vec<String> {
    let Ok(entries) = Dir::read_from(directory) else { return Vec::new() };
    let names = entries.flatten().filter_map(|entry| entry.file_name().to_str().ok().map(str::to_owned));
    let mut names: Vec<String> = names.filter(|name| name != "." && name != "..").collect();
    names.sort_unstable();
    names
}

fn regular(directory: &File, name: &str) -> Option<File> {
    let flags = OFlags::RDONLY | OFlags::NOFOLLOW | OFlags::NONBLOCK | OFlags::CLOEXEC;
    let file = File::from(openat(directory, name, flags, Mode::empty()).ok()?);
    file.metadata().ok()?.is_file().then_some(file)
}

fn cannot_read(path: &Path, error: &io::Error) -> String {
    let sudo = if rustix::process::geteuid().is_root() { "" } else { "; run this with sudo" };
    format!("{}: cannot be read: {error}{sudo}", path.display())
}

/// For a person.
pub fn size(bytes: u64) -> String {
    match bytes {
        0..10_000 => format!("{bytes} bytes"),
        10_000..10_000_000 => format!("{} kB", bytes / 1000),
        _ => format!("{} MB", bytes / 1_000_000),
    }
}

/// A file that is gone when this is.
struct Temporary(PathBuf);

impl Drop for Temporary {
    fn drop(&mut self) {
        let _ = std::fs::remove_file(&self.0);
    }
}
