//! `streampulse restore`: a backup takes the place of what is there, which is kept beside it.

use std::ffi::OsStr;
use std::fs::{File, OpenOptions};
use std::io;
use std::os::fd::AsFd as _;
use std::os::unix::fs::{MetadataExt as _, OpenOptionsExt as _, fchown};
use std::path::{Path, PathBuf};

use rustix::fs::{AtFlags, Mode, OFlags, mkdirat, openat, renameat, unlinkat};
use serde_json::json;

use super::backup::archive::{self, CONFIG, EVIDENCE, Manifest, SECRETS};
use super::backup::size;
use super::state::State;
use super::{EX_CANTCREAT, EX_CONFIG, EX_DATAERR, EX_NOINPUT, complain, say};
use crate::clock::{Clock as _, SystemClock};
use crate::config::{Config, Overrides};
use crate::store::{FILE_NAME, StoreError, examine, hold};

/// Arguments of `streampulse restore`.
#[derive(Debug, clap::Args)]
pub struct RestoreArguments {
    /// A file that `streampulse backup` wrote; `-` is standard input.
    #[arg(value_name = "FILE")]
    file: PathBuf,
    /// Only look it over: whether it is whole, and whether this version can use it. Nothing is changed.
    #[arg(long)]
    check: bool,
}

type Failure = (String, u8);

/// Looks the archive over, and puts what is in it into place.
pub async fn run(config_file: &Path, arguments: &RestoreArguments) -> u8 {
    match restore(config_file, arguments).await {
        Ok(told) => {
            say(&told);
            0
        }
        Err((message, code)) => complain(&message, code),
    }
}

async fn restore(config_file: &Path, arguments: &RestoreArguments) -> Result<String, Failure> {
    let file = &arguments.file;
    if arguments.check {
        let staged = Staged::in_directory(&std::env::temp_dir())?;
        let backup = staged.take(file)?;
        return Ok(format!("{}: sound. {}", file.display(), backup.told()));
    }
    // Where it goes is in the file itself; it is read twice rather than kept twice.
    let state_dir = match Overrides::from_env().state_dir {
        Some(directory) => directory,
        None if file.as_os_str() == "-" => {
            return Err((
                "standard input can be read once only: write it to a file first, or set STREAMPULSE_STATE_DIR"
                    .to_owned(),
                super::EX_USAGE,
            ));
        }
        None => configured_state_dir(file)?,
    };
    let held = hold(&state_dir).await.map_err(|error| match error {
        StoreError::InUse { .. } => (
            format!(
                "{}: in use by a StreamPulse that runs; stop it (systemctl stop streampulse), restore, and start it again",
                state_dir.display()
            ),
            error.exit_code(),
        ),
        StoreError::CannotWrite { .. } if !rustix::process::geteuid().is_root() => {
            (format!("{error}; or run this with sudo"), error.exit_code())
        }
        _ => (error.to_string(), error.exit_code()),
    })?;
    let staged = Staged::in_directory(&state_dir)?;
    let backup = staged.take(file)?;
    let aside = staged.put_into_place(&backup, config_file)?;
    drop(held);
    let told = backup.told();
    let state = State::open(config_file)
        .await
        .map_err(|code| ("restored, but the database cannot be opened".to_owned(), code))?;
    state.audit("backup.restore", &backup.manifest.made_at.to_string(), json!({ "host": backup.manifest.host })).await;
    state.close().await.map_err(|code| ("restored, but not given to the service's user".to_owned(), code))?;
    let undo = match aside {
        Some(aside) => format!("\nWhat was there before is in {}; remove it when all is well.", aside.display()),
        None => String::new(),
    };
    Ok(format!("Restored. {told}{undo}\nNext: systemctl start streampulse"))
}

fn configured_state_dir(file: &Path) -> Result<PathBuf, Failure> {
    let text = archive::config_of(open(file)?).map_err(|what| bad(file, &what))?;
    Ok(parse(&text)?.storage.path)
}

fn parse(text: &[u8]) -> Result<Config, Failure> {
    match crate::config::parse(Path::new(CONFIG), text, &Overrides::from_env()) {
        Ok(loaded) => Ok(loaded.config),
        Err(problems) => Err((format!("the configuration in the backup is not valid here: {problems}"), EX_CONFIG)),
    }
}

fn open(file: &Path) -> Result<Box<dyn io::Read>, Failure> {
    if file.as_os_str() == "-" {
        return Ok(Box::new(io::stdin().lock()));
    }
    match File::open(file) {
        Ok(opened) => Ok(Box::new(io::BufReader::with_capacity(256 * 1024, opened))),
        Err(error) => Err((format!("{}: cannot be read: {error}", file.display()), EX_NOINPUT)),
    }
}

fn bad(file: &Path, what: &str) -> Failure {
    (format!("{}: {what}; nothing was changed", file.display()), EX_DATAERR)
}

/// A backup that was read whole and is good for this version.
struct Backup {
    manifest: Manifest,
    pictures: Vec<String>,
}

impl Backup {
    fn told(&self) -> String {
        let Manifest { streampulse, made_at, host, schema, members, .. } = &self.manifest;
        let bytes = members.iter().map(|member| member.bytes).sum();
        format!(
            "Made {} on {host} by StreamPulse {streampulse}: configuration, database (schema {schema}) and {} pictures of \
             incidents, {}.",
            made_at.strftime("%Y-%m-%d %H:%M UTC"),
            self.pictures.len(),
            size(bytes)
        )
    }
}

/// A directory that holds what was unpacked until it is in place, and goes with this.
struct Staged {
    parent: File,
    parent_path: PathBuf,
    name: String,
    directory: File,
}

const DIRECTORY: OFlags = OFlags::RDONLY.union(OFlags::DIRECTORY).union(OFlags::NOFOLLOW).union(OFlags::CLOEXEC);

impl Staged {
    fn in_directory(parent_path: &Path) -> Result<Self, Failure> {
        let said = |error: io::Error| (format!("{}: cannot write: {error}", parent_path.display()), EX_CANTCREAT);
        let parent = File::open(parent_path).map_err(said)?;
        let number = getrandom::u64().map_err(|error| said(io::Error::other(error)))?;
        let name = format!("restore-{number:016x}");
        mkdirat(&parent, &name, Mode::RWXU).map_err(|error| said(error.into()))?;
        // From here on by descriptor: the parent may be in the hands of another user.
        let directory =
            File::from(openat(&parent, &name, DIRECTORY, Mode::empty()).map_err(|error| said(error.into()))?);
        Ok(Self { parent, parent_path: parent_path.to_owned(), name, directory })
    }

    /// Unpacks and looks over.
    fn take(&self, file: &Path) -> Result<Backup, Failure> {
        let mut pictures = Vec::new();
        let flags = OFlags::WRONLY | OFlags::CREATE | OFlags::EXCL | OFlags::NOFOLLOW | OFlags::CLOEXEC;
        let manifest = archive::read(open(file)?, |name| {
            let at = match archive::picture(name) {
                Some(picture) => {
                    if pictures.is_empty() {
                        mkdirat(&self.directory, EVIDENCE, Mode::from_raw_mode(0o750))?;
                    }
                    pictures.push(picture.to_owned());
                    File::from(openat(&self.directory, EVIDENCE, DIRECTORY, Mode::empty())?)
                }
                None => self.directory.try_clone()?,
            };
            let name = archive::picture(name).unwrap_or(name);
            let made = openat(&at, name, flags, Mode::RUSR | Mode::WUSR)?;
            Ok(io::BufWriter::new(File::from(made)))
        })
        .map_err(|what| bad(file, &what))?;
        let config = self.read(CONFIG).ok_or_else(|| bad(file, "there is no configuration in it"))?;
        parse(&config)?;
        let database = self.parent_path.join(&self.name).join(FILE_NAME);
        if !manifest.members.iter().any(|member| member.name == FILE_NAME) {
            return Err(bad(file, "there is no database in it"));
        }
        examine(&database).map_err(|error| match error {
            StoreError::Newer { found, known, .. } => bad(
                file,
                &format!(
                    "StreamPulse {} made it, which is newer (schema {found}, this one knows {known}): install that version first",
                    manifest.streampulse
                ),
            ),
            _ => bad(file, &format!("the database in it is not sound: {error}")),
        })?;
        Ok(Backup { manifest, pictures })
    }

    fn read(&self, name: &str) -> Option<Vec<u8>> {
        let flags = OFlags::RDONLY | OFlags::NOFOLLOW | OFlags::CLOEXEC;
        let mut text = Vec::new();
        let mut file = File::from(openat(&self.directory, name, flags, Mode::empty()).ok()?);
        io::Read::read_to_end(&mut file, &mut text).ok()?;
        Some(text)
    }

    /// Moves what is there aside, and this into its place. Gives where the old is, when there was any.
    fn put_into_place(&self, backup: &Backup, config_file: &Path) -> Result<Option<PathBuf>, Failure> {
        let said = |error: io::Error| {
            let at = self.parent_path.display();
            (format!("{at}: cannot write: {error}; run it again, what was moved is in before-restore-…"), EX_CANTCREAT)
        };
        let owner = self.parent.metadata().map_err(said)?;
        self.give(&self.directory, FILE_NAME, &owner).map_err(said)?;
        for name in SECRETS {
            self.give(&self.directory, name, &owner).map_err(said)?;
        }
        if !backup.pictures.is_empty() {
            self.give(&self.directory, EVIDENCE, &owner).map_err(said)?;
            let pictures = openat(&self.directory, EVIDENCE, DIRECTORY, Mode::empty()).map_err(|e| said(e.into()))?;
            let pictures = File::from(pictures);
            for picture in &backup.pictures {
                self.give(&pictures, picture, &owner).map_err(said)?;
            }
        }
        let aside = self.move_aside(config_file, &owner).map_err(said)?;
        self.place_config(config_file)?;
        for name in SECRETS.into_iter().chain([EVIDENCE, FILE_NAME]) {
            match renameat(&self.directory, name, &self.parent, name) {
                Ok(()) | Err(rustix::io::Errno::NOENT) => {}
                Err(error) => return Err(said(error.into())),
            }
        }
        let _ = self.parent.sync_all();
        Ok(aside)
    }

    /// To whom the directory belongs, when root does this.
    fn give(&self, directory: &File, name: &str, owner: &std::fs::Metadata) -> io::Result<()> {
        if !rustix::process::geteuid().is_root() || owner.uid() == 0 {
            return Ok(());
        }
        let flags = OFlags::RDONLY | OFlags::NOFOLLOW | OFlags::CLOEXEC;
        match openat(directory, name, flags, Mode::empty()) {
            Ok(file) => fchown(File::from(file), Some(owner.uid()), Some(owner.gid())),
            Err(rustix::io::Errno::NOENT) => Ok(()),
            Err(error) => Err(error.into()),
        }
    }

    fn move_aside(&self, config_file: &Path, owner: &std::fs::Metadata) -> io::Result<Option<PathBuf>> {
        let name = format!("before-restore-{}", SystemClock.now().strftime("%Y%m%dT%H%M%SZ"));
        match mkdirat(&self.parent, &name, Mode::RWXU) {
            Ok(()) | Err(rustix::io::Errno::EXIST) => {}
            Err(error) => return Err(error.into()),
        }
        let aside = File::from(openat(&self.parent, &name, DIRECTORY, Mode::empty())?);
        if rustix::process::geteuid().is_root() && owner.uid() != 0 {
            fchown(&aside, Some(owner.uid()), Some(owner.gid()))?;
        }
        let mut moved = 0;
        let beside = [FILE_NAME, "streampulse.db-wal", "streampulse.db-shm", EVIDENCE];
        for old in beside.into_iter().chain(SECRETS) {
            match renameat(&self.parent, old, &aside, old) {
                Ok(()) => moved += 1,
                Err(rustix::io::Errno::NOENT) => {}
                Err(error) => return Err(error.into()),
            }
        }
        match std::fs::read(config_file) {
            Ok(text) => {
                let flags = OFlags::WRONLY | OFlags::CREATE | OFlags::TRUNC | OFlags::NOFOLLOW | OFlags::CLOEXEC;
                let mut copy = File::from(openat(&aside, CONFIG, flags, Mode::RUSR | Mode::WUSR)?);
                io::Write::write_all(&mut copy, &text)?;
                self.give(&aside, CONFIG, owner)?;
                moved += 1;
            }
            Err(error) if error.kind() == io::ErrorKind::NotFound => {}
            Err(error) => return Err(error),
        }
        if moved == 0 {
            let _ = unlinkat(&self.parent, &name, AtFlags::REMOVEDIR);
            return Ok(None);
        }
        Ok(Some(self.parent_path.join(name)))
    }

    /// The configuration is somewhere else, and keeps its owner and mode.
    fn place_config(&self, config_file: &Path) -> Result<(), Failure> {
        let target = std::fs::canonicalize(config_file).unwrap_or_else(|_| config_file.to_owned());
        let said = |error: io::Error| (format!("{}: cannot be written: {error}", target.display()), EX_CANTCREAT);
        let directory = target.parent().filter(|parent| !parent.as_os_str().is_empty()).unwrap_or(Path::new("."));
        std::fs::create_dir_all(directory).map_err(said)?;
        let (uid, gid, mode) = match (target.metadata(), directory.metadata()) {
            (Ok(old), _) => (old.uid(), old.gid(), old.mode() & 0o777),
            (Err(_), Ok(directory)) => (directory.uid(), directory.gid(), 0o640),
            (Err(_), Err(error)) => return Err(said(error)),
        };
        let part = directory.join(format!(".{}", self.name));
        let text = self.read(CONFIG).unwrap_or_default();
        let write = || -> io::Result<()> {
            let mut file = OpenOptions::new().write(true).create_new(true).mode(0o600).open(&part)?;
            io::Write::write_all(&mut file, &text)?;
            if rustix::process::geteuid().is_root() {
                fchown(file.as_fd(), Some(uid), Some(gid))?;
            }
            file.set_permissions(std::os::unix::fs::PermissionsExt::from_mode(mode))?;
            file.sync_all()?;
            std::fs::rename(&part, &target)
        };
        write().map_err(|error| {
            let _ = std::fs::remove_file(&part);
            said(error)
        })
    }
}

impl Drop for Staged {
    fn drop(&mut self) {
        if let Ok(pictures) = openat(&self.directory, EVIDENCE, DIRECTORY, Mode::empty())
            && let Ok(entries) = rustix::fs::Dir::read_from(&pictures)
        {
            for entry in entries.flatten().filter(|entry| entry.file_name() != c"." && entry.file_name() != c"..") {
                let _ = unlinkat(&pictures, entry.file_name(), AtFlags::empty());
            }
        }
        let _ = unlinkat(&self.directory, EVIDENCE, AtFlags::REMOVEDIR);
        for name in SECRETS.into_iter().chain([CONFIG, FILE_NAME]) {
            let _ = unlinkat(&self.directory, name, AtFlags::empty());
        }
        let _ = unlinkat(&self.parent, OsStr::new(&self.name), AtFlags::REMOVEDIR);
    }
}
