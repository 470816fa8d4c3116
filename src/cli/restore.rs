//! `streampulse restore`: a backup takes the place of what is there, which is kept beside it.

mod place;

use std::fs::File;
use std::io;
use std::os::unix::fs::MetadataExt as _;
use std::path::{Path, PathBuf};

use rustix::fs::{AtFlags, Mode, OFlags, mkdirat, openat, unlinkat};
use serde_json::json;

use self::place::{Moves, NewConfig, give, remove};
use super::backup::archive::{self, CONFIG, EVIDENCE, Manifest, ReadError, SECRETS};
use super::backup::{names, size};
use super::machine::Machine;
use super::state::{State, told};
use super::{EX_CANTCREAT, EX_CONFIG, EX_DATAERR, EX_NOINPUT, complain, say};
use crate::clock::{Clock as _, SystemClock};
use crate::config::{Config, Overrides};
use crate::store::{FILE_NAME, SCHEMA, StoreError, examine, fold, give_to_owner, hold, scratch};

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
        Ok(summary) => {
            say(&summary);
            0
        }
        Err((message, code)) => complain(&message, code),
    }
}

async fn restore(config_file: &Path, arguments: &RestoreArguments) -> Result<String, Failure> {
    let file = &arguments.file;
    if arguments.check {
        let staged = Staged::in_directory(&scratch())?;
        let backup = staged.take(file, false)?;
        return Ok(format!("{}: sound. {}", file.display(), backup.told()));
    }
    // Where it goes is in the file itself; it is read twice rather than kept twice.
    let state_dir = match Overrides::from_env().state_dir {
        Some(directory) => directory,
        None if file.as_os_str() == "-" => {
            let message =
                "standard input can be read once only: write it to a file first, or set STREAMPULSE_STATE_DIR";
            return Err((message.to_owned(), super::EX_USAGE));
        }
        None => configured_state_dir(file)?,
    };
    let is_new = !state_dir.exists();
    let held = hold(&state_dir).await.map_err(|error| match error {
        StoreError::InUse { .. } => (
            format!(
                "{}: in use by a StreamPulse that runs; stop it ({}), restore, and start it again",
                state_dir.display(),
                Machine::this().stop()
            ),
            error.exit_code(),
        ),
        _ => (told(&error), error.exit_code()),
    })?;
    if is_new {
        give_new_directory(&state_dir, config_file)?;
    }
    Staged::clear_old(&state_dir);
    let staged = Staged::in_directory(&state_dir)?;
    let backup = staged.take(file, true)?;
    fold(&held, &state_dir);
    let aside = staged.put_into_place(&backup, config_file)?;
    drop(held);
    // An older database stays as it is until the service starts: perhaps it is for an older version, which comes next.
    if backup.schema == SCHEMA {
        let opened = |code| ("restored, but the database cannot be opened".to_owned(), code);
        let state = State::open(config_file).await.map_err(opened)?;
        let details = json!({ "host": backup.manifest.host });
        state.audit("backup.restore", &backup.manifest.made_at.to_string(), details).await;
        state.close().await.map_err(|code| ("restored, but not given to the service's user".to_owned(), code))?;
    } else if let Err(error) = give_to_owner(&state_dir) {
        return Err((format!("restored, but not given to the service's user: {error}"), EX_CANTCREAT));
    }
    let undo = match aside {
        Some(aside) => format!("\nWhat was there before is in {}; remove it when all is well.", aside.display()),
        None => String::new(),
    };
    Ok(format!("Restored. {}{undo}\nNext: {}", backup.told(), Machine::this().start()))
}

/// A directory that this made, as root, belongs to whom the configuration belongs: systemd gives away only its own.
fn give_new_directory(state_dir: &Path, config_file: &Path) -> Result<(), Failure> {
    let said = |error: io::Error| (format!("{}: cannot write: {error}", state_dir.display()), EX_CANTCREAT);
    let Some(Ok(owner)) = config_file.parent().map(Path::metadata) else { return Ok(()) };
    if rustix::process::geteuid().is_root() && owner.uid() != 0 {
        std::os::unix::fs::chown(state_dir, Some(owner.uid()), Some(owner.gid())).map_err(said)?;
        give_to_owner(state_dir).map_err(said)?;
    }
    Ok(())
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
    /// Of its database.
    schema: i64,
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

    /// Removes what a killed one left behind. Nobody else may be at it.
    fn clear_old(parent_path: &Path) {
        let Ok(parent) = File::open(parent_path) else { return };
        for name in names(&parent) {
            let number = name.strip_prefix("restore-").unwrap_or_default();
            if number.len() == 16 && number.bytes().all(|byte| byte.is_ascii_hexdigit()) {
                remove(&parent, &name);
            }
        }
    }

    /// Unpacks and looks over; pictures are only read when they are not kept.
    fn take(&self, file: &Path, keeps_pictures: bool) -> Result<Backup, Failure> {
        let mut pictures = Vec::new();
        let flags = OFlags::WRONLY | OFlags::CREATE | OFlags::EXCL | OFlags::NOFOLLOW | OFlags::CLOEXEC;
        let manifest = archive::read(open(file)?, |name| {
            let at = match archive::picture(name) {
                Some(picture) => {
                    if !keeps_pictures {
                        pictures.push(picture.to_owned());
                        return Ok(Box::new(io::sink()) as Box<dyn io::Write>);
                    }
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
            Ok(Box::new(io::BufWriter::new(File::from(made))) as Box<dyn io::Write>)
        })
        .map_err(|error| match error {
            ReadError::Archive(what) => bad(file, &what),
            ReadError::Place(what) => {
                (format!("{}: {what}; nothing was changed", self.parent_path.display()), EX_CANTCREAT)
            }
        })?;
        let config = self.read(CONFIG).ok_or_else(|| bad(file, "there is no configuration in it"))?;
        parse(&config)?;
        let database = self.parent_path.join(&self.name).join(FILE_NAME);
        if !manifest.members.iter().any(|member| member.name == FILE_NAME) {
            return Err(bad(file, "there is no database in it"));
        }
        let schema = examine(&database).map_err(|error| match error {
            StoreError::Newer { found, known, .. } => bad(
                file,
                &format!(
                    "StreamPulse {} made it, which is newer (schema {found}, this one knows {known}): install that version first",
                    manifest.streampulse
                ),
            ),
            _ => bad(file, &format!("the database in it is not sound: {error}")),
        })?;
        Ok(Backup { manifest, schema, pictures })
    }

    fn read(&self, name: &str) -> Option<Vec<u8>> {
        let flags = OFlags::RDONLY | OFlags::NOFOLLOW | OFlags::CLOEXEC;
        let mut text = Vec::new();
        let mut file = File::from(openat(&self.directory, name, flags, Mode::empty()).ok()?);
        io::Read::read_to_end(&mut file, &mut text).ok()?;
        Some(text)
    }

    /// Moves what is there aside, and this into its place: all of it or nothing. Gives where the old is, when there was any.
    fn put_into_place(&self, backup: &Backup, config_file: &Path) -> Result<Option<PathBuf>, Failure> {
        let said = |error: io::Error| (format!("{}: cannot write: {error}", self.parent_path.display()), EX_CANTCREAT);
        let owner = self.parent.metadata().map_err(said)?;
        for name in SECRETS.into_iter().chain([FILE_NAME, EVIDENCE]) {
            give(&self.directory, name, &owner).map_err(said)?;
        }
        if let Ok(pictures) = openat(&self.directory, EVIDENCE, DIRECTORY, Mode::empty()) {
            let pictures = File::from(pictures);
            for picture in &backup.pictures {
                give(&pictures, picture, &owner).map_err(said)?;
            }
        }
        let config = NewConfig::write(config_file, &self.name, &self.read(CONFIG).unwrap_or_default())?;
        // On the disk before anything else moves: the power may go.
        rustix::fs::syncfs(&self.directory).map_err(|error| said(error.into()))?;
        let aside_name = format!("before-restore-{}", SystemClock.now().strftime("%Y%m%dT%H%M%SZ"));
        let aside = self.make_aside(&aside_name, config.target.as_path(), &owner).map_err(said)?;
        let mut moves = Moves::new();
        let moved = self.move_all(&aside, &mut moves).and_then(|()| config.put());
        if let Err(error) = moved {
            moves.undo();
            // Only when nothing else is left in it.
            let _ = unlinkat(&aside, CONFIG, AtFlags::empty());
            let _ = unlinkat(&self.parent, &aside_name, AtFlags::REMOVEDIR);
            let at = self.parent_path.display();
            return Err((format!("{at}: cannot write: {error}; everything is as it was"), EX_CANTCREAT));
        }
        let _ = self.parent.sync_all();
        if names(&aside).is_empty() {
            let _ = unlinkat(&self.parent, &aside_name, AtFlags::REMOVEDIR);
            return Ok(None);
        }
        Ok(Some(self.parent_path.join(aside_name)))
    }

    fn make_aside(&self, name: &str, config_file: &Path, owner: &std::fs::Metadata) -> io::Result<File> {
        mkdirat(&self.parent, name, Mode::RWXU)?;
        let aside = File::from(openat(&self.parent, name, DIRECTORY, Mode::empty())?);
        match std::fs::read(config_file) {
            Ok(text) => {
                let flags = OFlags::WRONLY | OFlags::CREATE | OFlags::EXCL | OFlags::NOFOLLOW | OFlags::CLOEXEC;
                let mut copy = File::from(openat(&aside, CONFIG, flags, Mode::RUSR | Mode::WUSR)?);
                io::Write::write_all(&mut copy, &text)?;
                copy.sync_all()?;
                give(&aside, CONFIG, owner)?;
            }
            Err(error) if error.kind() == io::ErrorKind::NotFound => {}
            Err(error) => return Err(error),
        }
        give(&self.parent, name, owner)?;
        Ok(aside)
    }

    fn move_all<'a>(&'a self, aside: &'a File, moves: &mut Moves<'a>) -> io::Result<()> {
        // The log of a database that could not be opened goes with it.
        for name in SECRETS.into_iter().chain([EVIDENCE, FILE_NAME, "streampulse.db-wal", "streampulse.db-shm"]) {
            moves.rename(&self.parent, aside, name)?;
        }
        for name in SECRETS.into_iter().chain([EVIDENCE, FILE_NAME]) {
            moves.rename(&self.directory, &self.parent, name)?;
        }
        Ok(())
    }
}

impl Drop for Staged {
    fn drop(&mut self) {
        remove(&self.parent, &self.name);
    }
}
