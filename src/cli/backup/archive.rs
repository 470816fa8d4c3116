//! The file of a backup: a tar archive of what the service keeps, and last of all a list of it.
//!
//! | member | |
//! |---|---|
//! | `config.yaml` | the configuration, passwords of cameras included |
//! | `streampulse.db` | the database, as it was at one moment |
//! | `jwt-secret`, `initial-password` | when they are there: sessions stay valid; the first password still works |
//! | `evidence/<incident>-<number>.jpg` | pictures of incidents |
//! | `backup.json` | [`Manifest`]: who made it, and the size and SHA-256 of every member above |
//!
//! The list stands last, so an archive that has it is whole. Nothing is unpacked by its own name: members are known by name.

use std::io::{self, Read, Write};

use serde::{Deserialize, Serialize};
use sha2::{Digest as _, Sha256};

use crate::store::FILE_NAME;

/// The configuration, under whatever name it lies.
pub const CONFIG: &str = "config.yaml";

/// What lies beside the database and belongs to it.
pub const SECRETS: [&str; 2] = ["jwt-secret", "initial-password"];

/// The directory of the pictures of incidents.
pub const EVIDENCE: &str = "evidence";

/// The last member.
const MANIFEST: &str = "backup.json";

/// Larger ones are not ours.
const MANIFEST_BYTES: u64 = 64 * 1024 * 1024;

/// The form that this program writes, and the newest that it reads.
const FORM: u32 = 1;

/// What is in an archive.
#[derive(Debug, Serialize, Deserialize)]
pub struct Manifest {
    /// Of the archive; 1.
    pub form: u32,
    /// The version that made it.
    pub streampulse: String,
    /// The schema of the database.
    pub schema: i64,
    /// When it was made.
    pub made_at: jiff::Timestamp,
    /// Where.
    pub host: String,
    /// What stands before this.
    pub members: Vec<Member>,
}

/// A member as it was written.
#[derive(Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Member {
    /// Its name in the archive.
    pub name: String,
    /// Its size.
    pub bytes: u64,
    /// Of its content, in hexadecimal digits.
    pub sha256: String,
}

/// Writes an archive.
pub struct Writer<W: Write> {
    tar: tar::Builder<W>,
    members: Vec<Member>,
    made_at: jiff::Timestamp,
}

impl<W: Write> Writer<W> {
    /// Begins one.
    pub fn new(out: W, made_at: jiff::Timestamp) -> Self {
        Self { tar: tar::Builder::new(out), members: Vec::new(), made_at }
    }

    /// Adds what the reader holds, which is `bytes` long.
    pub fn add(&mut self, name: &str, bytes: u64, reader: &mut impl Read) -> io::Result<()> {
        let mut reader = Hashed { inner: reader.take(bytes), hash: Sha256::new(), bytes: 0 };
        self.tar.append_data(&mut self.header(bytes), name, &mut reader)?;
        let (sha256, read) = reader.end();
        if read != bytes {
            return Err(io::Error::other(format!("{name} became shorter while it was read; run it again")));
        }
        self.members.push(Member { name: name.to_owned(), bytes, sha256 });
        Ok(())
    }

    /// Writes the list, and gives back where it was written to, and the list.
    pub fn finish(mut self, schema: i64) -> io::Result<(W, Manifest)> {
        let manifest = Manifest {
            form: FORM,
            streampulse: env!("CARGO_PKG_VERSION").to_owned(),
            schema,
            made_at: self.made_at,
            host: rustix::system::uname().nodename().to_string_lossy().into_owned(),
            members: std::mem::take(&mut self.members),
        };
        let mut text = serde_json::to_vec_pretty(&manifest)?;
        text.push(b'\n');
        let mut header = self.header(text.len() as u64);
        self.tar.append_data(&mut header, MANIFEST, text.as_slice())?;
        Ok((self.tar.into_inner()?, manifest))
    }

    fn header(&self, bytes: u64) -> tar::Header {
        let mut header = tar::Header::new_gnu();
        header.set_size(bytes);
        header.set_mode(0o600);
        header.set_mtime(u64::try_from(self.made_at.as_second()).unwrap_or_default());
        header.set_entry_type(tar::EntryType::Regular);
        header
    }
}

/// Why an archive is not read; each one clause.
#[derive(Debug, PartialEq, Eq)]
pub enum ReadError {
    /// Something is wrong with it.
    Archive(String),
    /// What is in it cannot be written: no room, for example.
    Place(String),
}

impl From<String> for ReadError {
    fn from(what: String) -> Self {
        Self::Archive(what)
    }
}

/// Reads an archive, member by member, into what `place` makes for each, and gives its list when all is there and as it was.
///
/// # Errors
/// [`ReadError`].
pub fn read<O: Write>(archive: impl Read, mut place: impl FnMut(&str) -> io::Result<O>) -> Result<Manifest, ReadError> {
    let mut archive = tar::Archive::new(archive);
    let mut members: Vec<Member> = Vec::new();
    let mut manifest = None;
    let cut = |error: io::Error| format!("it is no whole archive ({error})");
    for entry in archive.entries().map_err(cut)? {
        let mut entry = entry.map_err(cut)?;
        let name =
            String::from_utf8(entry.path_bytes().into_owned()).map_err(|_| foreign("a member without a name"))?;
        if entry.header().entry_type() != tar::EntryType::Regular || manifest.is_some() {
            return Err(foreign(&name).into());
        }
        if name == MANIFEST {
            let mut text = Vec::new();
            entry.by_ref().take(MANIFEST_BYTES).read_to_end(&mut text).map_err(cut)?;
            manifest = Some(parse(&text)?);
            continue;
        }
        if !is_ours(&name) || members.iter().any(|member| member.name == name) {
            return Err(foreign(&name).into());
        }
        let said = |error: io::Error| ReadError::Place(format!("{name} cannot be written: {error}"));
        let mut out = place(&name).map_err(said)?;
        let mut reader = Hashed { inner: entry, hash: Sha256::new(), bytes: 0 };
        copy(&mut reader, &mut out, &name)?;
        out.flush().map_err(said)?;
        let (sha256, bytes) = reader.end();
        members.push(Member { name, bytes, sha256 });
    }
    let ends_early = "it ends too early, or is no backup of StreamPulse: its list is missing";
    let manifest = manifest.ok_or_else(|| ends_early.to_owned())?;
    match manifest.members.iter().zip(&members).find(|(listed, found)| listed != found) {
        Some((listed, _)) => Err(format!("{} is not what was backed up", listed.name).into()),
        None if manifest.members.len() != members.len() => Err("members are missing".to_owned().into()),
        None => Ok(manifest),
    }
}

/// The configuration in an archive, which is not looked over otherwise.
///
/// # Errors
/// One clause: what is wrong with it.
pub fn config_of(archive: impl Read) -> Result<Vec<u8>, String> {
    let mut archive = tar::Archive::new(archive);
    let cut = |error: io::Error| format!("it is no whole archive ({error})");
    for entry in archive.entries().map_err(cut)? {
        let entry = entry.map_err(cut)?;
        if *entry.path_bytes() == *CONFIG.as_bytes() {
            let mut text = Vec::new();
            entry.take(MANIFEST_BYTES).read_to_end(&mut text).map_err(cut)?;
            return Ok(text);
        }
    }
    Err("it is no backup of StreamPulse: there is no configuration in it".to_owned())
}

/// Whose fault it is when a copy fails differs: the archive's, or the disk's.
fn copy(from: &mut impl Read, to: &mut impl Write, name: &str) -> Result<(), ReadError> {
    let mut buffer = vec![0; 256 * 1024];
    loop {
        let count = match from.read(&mut buffer) {
            Ok(0) => return Ok(()),
            Ok(count) => count,
            Err(error) if error.kind() == io::ErrorKind::Interrupted => continue,
            Err(error) => return Err(format!("it is no whole archive ({error})").into()),
        };
        to.write_all(&buffer[..count])
            .map_err(|error| ReadError::Place(format!("{name} cannot be written: {error}")))?;
    }
}

fn parse(text: &[u8]) -> Result<Manifest, String> {
    #[derive(Deserialize)]
    struct Form {
        form: u32,
        streampulse: String,
    }
    let form: Form = serde_json::from_slice(text).map_err(|error| format!("its list cannot be read ({error})"))?;
    if form.form > FORM {
        return Err(format!("StreamPulse {} made it, in a form that this version does not know", form.streampulse));
    }
    serde_json::from_slice(text).map_err(|error| format!("its list cannot be read ({error})"))
}

fn foreign(name: &str) -> String {
    format!("it is no backup of StreamPulse: {:?} is in it", name.chars().take(80).collect::<String>())
}

fn is_ours(name: &str) -> bool {
    name == CONFIG || name == FILE_NAME || SECRETS.contains(&name) || picture(name).is_some()
}

/// The file's name in the directory of the pictures, when it is one.
pub fn picture(name: &str) -> Option<&str> {
    let file = name.strip_prefix(EVIDENCE)?.strip_prefix('/')?;
    let (incident, number) = file.strip_suffix(".jpg")?.split_once('-')?;
    let is_number = |text: &str| (1..=19).contains(&text.len()) && text.bytes().all(|byte| byte.is_ascii_digit());
    (is_number(incident) && is_number(number)).then_some(file)
}

struct Hashed<R> {
    inner: R,
    hash: Sha256,
    bytes: u64,
}

impl<R> Hashed<R> {
    fn end(self) -> (String, u64) {
        use std::fmt::Write as _;
        let mut text = String::with_capacity(64);
        for byte in self.hash.finalize() {
            let _ = write!(text, "{byte:02x}");
        }
        (text, self.bytes)
    }
}

impl<R: Read> Read for Hashed<R> {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        let count = self.inner.read(buffer)?;
        self.hash.update(&buffer[..count]);
        self.bytes += count as u64;
        Ok(count)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn archive(members: &[(&str, &[u8])]) -> Vec<u8> {
        let mut writer = Writer::new(Vec::new(), jiff::Timestamp::UNIX_EPOCH);
        for (name, content) in members {
            writer.add(name, content.len() as u64, &mut &**content).unwrap();
        }
        writer.finish(6).unwrap().0
    }

    fn read_all(archive: &[u8]) -> Result<Manifest, String> {
        read(archive, |_| Ok(io::sink())).map_err(|error| match error {
            ReadError::Archive(what) => what,
            ReadError::Place(what) => panic!("{what}"),
        })
    }

    #[test]
    fn a_disk_without_room_is_not_the_archives_fault() {
        let archive = archive(&[("config.yaml", &[b'#'; 4000])]);
        let full = read(archive.as_slice(), |_| Ok(Full(vec![0; 100]))).unwrap_err();
        assert!(matches!(&full, ReadError::Place(what) if what.contains("config.yaml cannot be written")), "{full:?}");
    }

    struct Full(Vec<u8>);

    impl Write for Full {
        fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
            self.0.as_mut_slice().write(bytes).and_then(|count| match count {
                0 => Err(io::ErrorKind::StorageFull.into()),
                _ => {
                    self.0.clear();
                    Ok(count)
                }
            })
        }

        fn flush(&mut self) -> io::Result<()> {
            Ok(())
        }
    }

    #[test]
    fn what_was_written_is_read() {
        let long = vec![7; 300_000];
        let archive =
            archive(&[("config.yaml", b"streams: []\n"), ("streampulse.db", &long), ("evidence/12-3.jpg", b"")]);
        let mut read_back = Vec::new();
        let manifest = read(archive.as_slice(), |name| {
            read_back.push(name.to_owned());
            Ok(io::sink())
        })
        .unwrap();
        assert_eq!(read_back, ["config.yaml", "streampulse.db", "evidence/12-3.jpg"]);
        let sizes: Vec<u64> = manifest.members.iter().map(|member| member.bytes).collect();
        assert_eq!((manifest.schema, sizes), (6, vec![12, 300_000, 0]));
    }

    #[test]
    fn one_that_is_cut_short_anywhere_is_refused() {
        let archive = archive(&[("config.yaml", b"streams: []\n"), ("streampulse.db", &[7; 2000])]);
        // The end of a tar archive is two empty blocks, which nobody needs.
        for length in (0..archive.len() - 1024).step_by(61) {
            read_all(&archive[..length]).expect_err(&format!("cut after {length} bytes"));
        }
    }

    #[test]
    fn one_that_was_changed_is_refused() {
        let content = [7; 2000];
        let mut archive = archive(&[("streampulse.db", &content)]);
        archive[512 + 1000] = 8;
        assert_eq!(read_all(&archive).unwrap_err(), "streampulse.db is not what was backed up");
    }

    #[test]
    fn what_a_backup_does_not_hold_is_refused() {
        for name in ["other", "evidence/x.jpg", "evidence/1-2.jpg/3", "evidence/1-.jpg", "evidence/+1-2.jpg"] {
            let text = read_all(&archive(&[(name, b"x")])).expect_err(name);
            assert!(text.contains("no backup of StreamPulse"), "{name}: {text}");
        }
        assert_eq!((picture("evidence/12-3.jpg"), picture("evidence/../12-3.jpg")), (Some("12-3.jpg"), None));
        let mut link = tar::Builder::new(Vec::new());
        let mut header = tar::Header::new_gnu();
        header.set_entry_type(tar::EntryType::Symlink);
        header.set_size(0);
        link.append_link(&mut header, "config.yaml", "/etc/shadow").unwrap();
        assert!(read_all(&link.into_inner().unwrap()).unwrap_err().contains("no backup of StreamPulse"));
        assert!(read_all(&archive(&[("config.yaml", b"1"), ("config.yaml", b"2")])).is_err());
        assert!(read_all(b"not an archive at all").is_err());
        assert!(read_all(&[0; 4096]).unwrap_err().contains("its list is missing"));
    }

    #[test]
    fn a_form_that_is_newer_is_named() {
        let newer = br#"{"form": 2, "streampulse": "9.1.0", "rest": []}"#;
        assert!(parse(newer).unwrap_err().contains("StreamPulse 9.1.0 made it"));
    }
}
