//! Where a file lies: its folder, the log beside it, and whether its disk is one of this host.
//!
//! Over a network, two hosts could write one file without seeing each other's locks and shared
//! memory.

use std::path::{Path, PathBuf};

/// The write-ahead log of a file.
pub(super) fn log_of(path: &Path) -> PathBuf {
    let mut log = path.as_os_str().to_owned();
    log.push("-wal");
    log.into()
}

/// Whether a file has a log with something in it.
pub(super) fn has_log(path: &Path) -> bool {
    std::fs::metadata(log_of(path)).is_ok_and(|log| log.len() > 0)
}

/// Whether no file can be made beside the file.
pub(super) fn is_read_only_folder(path: &Path) -> bool {
    rustix::fs::access(folder_of(path), rustix::fs::Access::WRITE_OK).is_err()
}

/// The folder in which a file lies.
pub(super) fn folder_of(path: &Path) -> &Path {
    match path.parent() {
        Some(folder) if !folder.as_os_str().is_empty() => folder,
        _ => Path::new("."),
    }
}

/// Returns the name of the network file system on which `path` lies or would lie; `None` for a
/// local one, and where it cannot be found out.
pub(super) fn network_file_system(path: &Path) -> Option<String> {
    let path = if path.exists() { path } else { folder_of(path) };
    #[cfg(target_os = "linux")]
    return linux::network_file_system(path);
    #[cfg(not(target_os = "linux"))]
    None
}

#[cfg(target_os = "linux")]
mod linux {
    use std::{os::unix::fs::MetadataExt, path::Path};

    /// `f_type` of statfs(2), and what people call it.
    const NETWORK: [(u32, &str); 15] = [
        (0x6969, "NFS"),
        (0x517b, "SMB"),
        (0xff53_4d42, "CIFS (SMB)"),
        (0xfe53_4d42, "SMB"),
        (0x0102_1997, "9P (a folder of the host)"),
        (0x5346_414f, "AFS"),
        (0x7375_7245, "Coda"),
        (0x564c, "NCP"),
        (0x00c3_6400, "CephFS"),
        (0x0bd0_0bd0, "Lustre"),
        (0x4750_4653, "GPFS"),
        (0x1983_0326, "BeeGFS"),
        (0x0116_1970, "GFS2"),
        (0x7461_636f, "OCFS2"),
        (0x786f_4256, "VirtualBox's shared folder"),
    ];
    const FUSE: u32 = 0x6573_5546;
    /// File systems of FUSE that are over a disk of this host.
    const LOCAL_FUSE: [&str; 5] = [
        "fuseblk",
        "fuse.fuse-overlayfs",
        "fuse.bindfs",
        "fuse.mergerfs",
        "fuse.gocryptfs",
    ];

    pub(super) fn network_file_system(path: &Path) -> Option<String> {
        let kind = rustix::fs::statfs(path).ok()?.f_type;
        // The magic numbers are of 32 bits, the field is a signed word of the machine.
        let kind = u32::try_from(kind & 0xffff_ffff).ok()?;
        name(kind, || mounted_as(path))
    }

    /// Names the file system of this kind if it is one of a network; `mounted_as` is its type in
    /// the table of mounts.
    pub(super) fn name(kind: u32, mounted_as: impl FnOnce() -> Option<String>) -> Option<String> {
        if kind != FUSE {
            let found = NETWORK.iter().find(|(number, _)| *number == kind);
            return found.map(|(_, name)| (*name).to_owned());
        }
        let mounted_as = mounted_as().unwrap_or_else(|| "FUSE".to_owned());
        (!LOCAL_FUSE.contains(&&*mounted_as)).then_some(mounted_as)
    }

    /// Returns the type of the mount that holds `path`, such as `fuse.sshfs`.
    fn mounted_as(path: &Path) -> Option<String> {
        let device = std::fs::metadata(path).ok()?.dev();
        let device = (rustix::fs::major(device), rustix::fs::minor(device));
        let mounts = std::fs::read_to_string("/proc/self/mountinfo").ok()?;
        let mounted_as = type_in(&mounts, device)?;
        Some(mounted_as.to_owned())
    }

    /// Finds a device in the text of `/proc/self/mountinfo`, see proc_pid_mountinfo(5).
    pub(super) fn type_in(mounts: &str, (major, minor): (u32, u32)) -> Option<&str> {
        let device = format!("{major}:{minor}");
        let mount = mounts
            .lines()
            .find(|line| line.split(' ').nth(2) == Some(&device))?;
        mount.split(" - ").nth(1)?.split(' ').next()
    }
}

#[cfg(all(test, target_os = "linux"))]
mod tests {
    use super::linux::*;

    #[test]
    fn disks_of_this_host_are_taken() {
        for kind in [0xef53, 0x9123_683e, 0x5846_5342, 0x0102_1994, 0x794c_7630] {
            assert_eq!(name(kind, || None), None, "{kind:x}");
        }
        let folder = tempfile::tempdir().unwrap();
        assert_eq!(super::network_file_system(&folder.path().join("new")), None);
    }

    #[test]
    fn file_systems_of_other_hosts_are_named() {
        assert_eq!(name(0x6969, || None).as_deref(), Some("NFS"));
        assert_eq!(name(0xff53_4d42, || None).as_deref(), Some("CIFS (SMB)"));
        let fuse = |mounted_as: &str| name(0x6573_5546, || Some(mounted_as.to_owned()));
        assert_eq!(fuse("fuse.sshfs").as_deref(), Some("fuse.sshfs"));
        assert_eq!(fuse("virtiofs").as_deref(), Some("virtiofs"));
        assert_eq!(fuse("fuseblk"), None);
    }

    #[test]
    fn mount_is_found_by_its_device() {
        let mounts = "22 1 8:1 / / rw,relatime shared:1 - ext4 /dev/sda1 rw\n\
            90 22 0:45 / /mnt/far rw,nosuid master:1 - fuse.sshfs host:/ rw,user_id=0\n";
        assert_eq!(type_in(mounts, (0, 45)), Some("fuse.sshfs"));
        assert_eq!(type_in(mounts, (8, 1)), Some("ext4"));
        assert_eq!(type_in(mounts, (8, 2)), None);
    }
}
