//! The workspace's directory, and nothing else: every path of a request is resolved here.
//!
//! Links are followed by hand first, so that one that leads outside is refused with a clear error. What is then opened is
//! named without any link and opened beneath the directory's own descriptor, so a link put there in between is refused by
//! the kernel.

use crate::refusal::Refusal;
use docket_wire::limits::{PATH_BYTES, PATH_DEPTH};
use rustix::fs::{Mode, OFlags, ResolveFlags};
use std::{
    collections::VecDeque,
    ffi::{OsStr, OsString},
    fs::{self, File},
    io,
    os::fd::OwnedFd,
    path::{Component, Path, PathBuf},
};

const LINKS: usize = 40;

/// The workspace's directory.
#[derive(Debug)]
pub struct Root {
    dir: PathBuf,
    fd: OwnedFd,
}

/// A path inside the workspace's directory, without links.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct Inside(PathBuf);

impl Inside {
    /// Relative to the workspace's directory; empty for the directory itself.
    pub fn relative(&self) -> &Path {
        &self.0
    }

    /// A path that was resolved earlier and kept in a record.
    pub fn recorded(relative: &Path) -> Option<Self> {
        relative.components().all(|part| matches!(part, Component::Normal(_))).then(|| Self(relative.to_owned()))
    }

    /// As text, for answers.
    pub fn display(&self) -> String {
        self.0.to_string_lossy().into_owned()
    }

    /// Another name in the same directory.
    pub fn sibling(&self, name: &str) -> Self {
        Self(self.0.with_file_name(name))
    }
}

impl Root {
    /// Opens the directory, which must exist.
    pub fn open(dir: &Path) -> io::Result<Self> {
        let dir = dir.canonicalize()?;
        let fd = rustix::fs::open(&dir, OFlags::PATH | OFlags::DIRECTORY | OFlags::CLOEXEC, Mode::empty())?;
        Ok(Self { dir, fd })
    }

    /// Absolute, without links.
    pub fn dir(&self) -> &Path {
        &self.dir
    }

    /// Where a path of a request leads. What it names need not exist.
    pub fn resolve(&self, path: &str) -> Result<Inside, Refusal> {
        if path.is_empty() {
            return Err(Refusal::invalid("invalid_path", "the path is empty"));
        }
        if path.len() > PATH_BYTES || path.contains('\0') {
            return Err(Refusal::invalid("invalid_path", format!("a path has at most {PATH_BYTES} bytes and no NUL")));
        }
        let mut todo: VecDeque<OsString> = self.dir.join(path).components().filter_map(part).collect();
        let mut now = PathBuf::from("/");
        let mut links = 0;
        while let Some(name) = todo.pop_front() {
            if name == ".." {
                now.pop();
                continue;
            }
            let next = now.join(&name);
            let Some(target) = link_target(&next) else {
                now = next;
                continue;
            };
            links += 1;
            if links > LINKS {
                return Err(Refusal::invalid("invalid_path", format!("too many links in {path}")));
            }
            if target.is_absolute() {
                now = PathBuf::from("/");
            }
            for name in target.components().filter_map(part).rev() {
                todo.push_front(name);
            }
        }
        let inside = now.strip_prefix(&self.dir).map_err(|_| self.outside(path))?;
        if inside.components().count() > PATH_DEPTH {
            return Err(Refusal::invalid("invalid_path", format!("a path has at most {PATH_DEPTH} parts")));
        }
        Ok(Inside(inside.to_owned()))
    }

    /// Opens what is at a path, never through a link.
    pub fn open_at(&self, path: &Inside, flags: OFlags) -> io::Result<File> {
        let relative = if path.0.as_os_str().is_empty() { Path::new(".") } else { path.relative() };
        // Opening a pipe or a terminal must neither wait nor take it over; a mere handle does neither.
        let careful = if flags.contains(OFlags::PATH) { OFlags::empty() } else { OFlags::NOCTTY | OFlags::NONBLOCK };
        let flags = flags | careful | OFlags::CLOEXEC;
        let how = ResolveFlags::BENEATH | ResolveFlags::NO_SYMLINKS | ResolveFlags::NO_MAGICLINKS;
        match rustix::fs::openat2(&self.fd, relative, flags, Mode::empty(), how) {
            // Kernels before 5.6 and some containers' system call filters.
            Err(rustix::io::Errno::NOSYS | rustix::io::Errno::PERM) => {
                Ok(rustix::fs::openat(&self.fd, relative, flags | OFlags::NOFOLLOW, Mode::empty())?.into())
            }
            opened => Ok(opened?.into()),
        }
    }

    /// Opens the directory that a path is in; with `make`, missing ones are made.
    pub fn parent(&self, path: &Inside, make: bool) -> io::Result<OwnedFd> {
        let flags = OFlags::DIRECTORY | OFlags::NOFOLLOW | OFlags::CLOEXEC;
        let mut now = rustix::fs::openat(&self.fd, ".", flags, Mode::empty())?;
        for name in path.0.parent().into_iter().flat_map(Path::components).filter_map(part) {
            now = match rustix::fs::openat(&now, &name, flags, Mode::empty()) {
                Err(rustix::io::Errno::NOENT) if make => {
                    match rustix::fs::mkdirat(&now, &name, Mode::from_raw_mode(0o755)) {
                        Ok(()) | Err(rustix::io::Errno::EXIST) => {}
                        Err(error) => return Err(error.into()),
                    }
                    rustix::fs::openat(&now, &name, flags, Mode::empty())?
                }
                opened => opened?,
            };
        }
        Ok(now)
    }

    /// The last part of a path; a path without one is the workspace's directory itself.
    pub fn name(path: &Inside) -> io::Result<&OsStr> {
        path.0.file_name().ok_or_else(|| io::Error::from(io::ErrorKind::IsADirectory))
    }

    fn outside(&self, path: &str) -> Refusal {
        Refusal::with(
            403,
            "outside_workspace",
            format!("{path} is outside the workspace's directory {}; only paths inside it can be used", self.dir.display()),
        )
    }
}

fn part(component: Component<'_>) -> Option<OsString> {
    match component {
        Component::Normal(name) => Some(name.to_owned()),
        Component::ParentDir => Some("..".into()),
        Component::RootDir | Component::CurDir | Component::Prefix(_) => None,
    }
}

fn link_target(path: &Path) -> Option<PathBuf> {
    fs::read_link(path).ok()
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::os::unix::fs::symlink;

    fn root() -> (tempfile::TempDir, Root) {
        let temp = tempfile::tempdir().unwrap();
        fs::create_dir_all(temp.path().join("ws/sub")).unwrap();
        fs::write(temp.path().join("secret"), "s").unwrap();
        let root = Root::open(&temp.path().join("ws")).unwrap();
        (temp, root)
    }

    #[test]
    fn relative_absolute_and_dotted_paths_lead_to_the_same_place() {
        let (_temp, root) = root();
        let absolute = root.dir().join("sub/a").display().to_string();
        for path in ["sub/a", "./sub/./a", "sub/../sub/a", absolute.as_str()] {
            assert_eq!(root.resolve(path).unwrap().display(), "sub/a", "{path}");
        }
        assert_eq!(root.resolve(".").unwrap().display(), "");
    }

    #[test]
    fn whatever_leads_outside_is_refused() {
        let (temp, root) = root();
        symlink("..", root.dir().join("up")).unwrap();
        symlink(temp.path().join("secret"), root.dir().join("direct")).unwrap();
        symlink("up/secret", root.dir().join("chain")).unwrap();
        symlink("/proc/self/root", root.dir().join("magic")).unwrap();
        let beside = format!("{}-other/x", root.dir().display());
        for path in
            ["../secret", "sub/../../secret", "/etc/passwd", "up/secret", "direct", "chain", "magic/etc/passwd", &beside]
        {
            assert_eq!(root.resolve(path).unwrap_err().code, "outside_workspace", "{path}");
        }
    }

    #[test]
    fn links_inside_are_followed_and_loops_end() {
        let (_temp, root) = root();
        symlink("sub", root.dir().join("link")).unwrap();
        symlink(root.dir().join("sub/a"), root.dir().join("file")).unwrap();
        symlink("loop", root.dir().join("loop")).unwrap();
        assert_eq!(root.resolve("link/a").unwrap().display(), "sub/a");
        assert_eq!(root.resolve("file").unwrap().display(), "sub/a");
        assert_eq!(root.resolve("loop").unwrap_err().code, "invalid_path");
    }

    #[test]
    fn a_link_put_there_later_is_not_followed() {
        let (temp, root) = root();
        let path = root.resolve("sub/a").unwrap();
        symlink(temp.path().join("secret"), root.dir().join("sub/a")).unwrap();
        assert!(root.open_at(&path, OFlags::RDONLY).is_err());
        fs::remove_file(root.dir().join("sub/a")).unwrap();
        fs::remove_dir(root.dir().join("sub")).unwrap();
        symlink(temp.path(), root.dir().join("sub")).unwrap();
        assert!(root.open_at(&path, OFlags::RDONLY).is_err());
        assert!(root.parent(&path, true).is_err());
    }

    #[test]
    fn long_and_empty_paths_are_refused() {
        let (_temp, root) = root();
        for path in [String::new(), "a\0b".into(), "x".repeat(PATH_BYTES + 1), "d/".repeat(PATH_DEPTH + 1)] {
            assert_eq!(root.resolve(&path).unwrap_err().code, "invalid_path");
        }
    }
}
