"""Pack the files of a volume as a tar, unpack one into a staging directory, and swap it in; runs inside a container.

The container gets this file's text with `python -c`, so it needs only the standard library. It runs as the owner of the
files, so that restored files have the right owner without any capability.
"""

import contextlib
import errno
import filecmp
import hashlib
import json
import os
import re
import shutil
import stat
import sys
import tarfile

CHUNK = 1 << 20
# The directory of the examples in the notebook's image.
IMAGE = "/opt/data-toolbox"
# Where the notebook records which examples it copied into the home.
RECORD = "examples/.shipped.json"
# The staging directory of a restore, in the volume's top directory. It contains:
#   new        the unpacked files; the swap starts when they are complete
#   old        the replaced files, moved here by the swap
#   incoming   `new`, renamed as soon as all replaced files are in `old`
STAGING = ".data-toolbox-restore"
# What programs recreate: directories below the home, and names at any depth.
CACHES = frozenset({".cache", ".local/share/Trash", ".local/share/jupyter/runtime"})
CACHE_NAMES = frozenset({".ipynb_checkpoints", "__pycache__"})
# The longest header of a member, in bytes; a path has at most 4096.
MAX_HEADER = 1 << 16
# The longest path in the volume, in bytes: Linux allows 4095, including the staging directory.
MAX_PATH = 4000
# The smallest hole of a sparse file, in bytes; smaller ones are stored as zeros.
MIN_HOLE = 1 << 16
# The most parts that a sparse file may have.
MAX_PARTS = 100_000
# The largest file of ext4, in bytes: larger sparse files of other file systems could not be restored everywhere.
MAX_SIZE = (1 << 44) - 4096
# How many omitted files are named for each reason.
MAX_NAMED = 5


class Header(tarfile.TarInfo):
    """A member of a tar. Limits the size of extended headers, which tarfile reads into memory.

    A sparse file, in format 1.0 of GNU tar (https://www.gnu.org/software/tar/manual/html_node/PAX-1.html), contains
    only its data; `layout` is then its real size and the list of its data's parts, as (offset, length) in bytes.
    """

    layout = None

    def _proc_member(self, tar):
        if self.type not in (tarfile.REGTYPE, tarfile.AREGTYPE) and self.size > MAX_HEADER:
            raise tarfile.ReadError("the header is too long")
        if self.type == tarfile.GNUTYPE_SPARSE:
            raise tarfile.ReadError("a sparse file in an old format")
        return super()._proc_member(tar)

    def _proc_gnusparse_10(self, member, pax_headers, tar):
        """Read the map of a sparse file; tarfile's reader has no limits, and is wrong from 8 GiB on."""
        if self.type != tarfile.XHDTYPE or not member.isreg() or member.layout:
            raise tarfile.ReadError("an unexpected map of a sparse file")
        start = tar.fileobj.tell()
        stored = int(pax_headers.pop("size", member.size))
        real = int(pax_headers.pop("GNU.sparse.realsize"))
        numbers = map_numbers(tar.fileobj)
        count = next(numbers)
        if count > MAX_PARTS:
            raise tarfile.ReadError("a sparse file with too many parts")
        parts = [(next(numbers), next(numbers)) for _ in range(count)]
        member.offset_data = tar.fileobj.tell()
        member.size = sum(length for _, length in parts)
        ends = [0, *(offset + length for offset, length in parts)]
        ascending = all(end <= offset for end, (offset, _) in zip(ends, parts, strict=False))
        if not ascending or not ends[-1] <= real <= MAX_SIZE or stored != member.offset_data - start + member.size:
            raise tarfile.ReadError("a sparse file with an inconsistent map")
        member.layout = real, parts
        tar.offset = start + member._block(stored)


def map_numbers(file):
    """Yield the numbers of a sparse member's map, read block by block."""
    text = b""
    while True:
        while b"\n" not in text:
            block = file.read(tarfile.BLOCKSIZE)
            # The largest file size has 14 digits.
            if not block or len(text) > 14:
                raise tarfile.ReadError("a sparse file without a map")
            text += block
        number, text = text.split(b"\n", 1)
        if not number.isdigit() or len(number) > 14:
            raise tarfile.ReadError("a sparse file without a map")
        yield int(number)


# --- Validation of tars ---


def members(source):
    """Yield (tar, member) for each member of the tar in the file `source`; read a member before the next is requested.

    Raises ValueError if a member would be written, or points, outside the directory; tarfile.TarError or ValueError if
    it is not a tar.
    """
    links = set()
    with tarfile.open(fileobj=source, mode="r|", tarinfo=Header, bufsize=CHUNK) as tar:
        while (member := tar.next()) is not None:
            tar.members.clear()
            if reason := problem(member, links):
                raise ValueError(f"{member.name!r} {reason}")
            if member.issym():
                links.add(member.name)
            yield tar, member


def problem(member, links):
    """Return why a member must not be unpacked, or None; `links` are the names of the preceding symbolic links."""
    parts = member.name.split("/")
    if member.name.startswith("/") or "\0" in member.name or any(part in ("", ".", "..") for part in parts):
        return "is not a path below the directory"
    if parts[0] == STAGING:
        return "is in the staging directory of restores"
    if any("/".join(parts[:count]) in links for count in range(1, len(parts) + 1)):
        return "goes through a symbolic link"
    if member.issym():
        return "leads out of the directory" if leads_out(member.name, member.linkname) else None
    if not (member.isdir() or (member.isreg() and not member.issparse() and member.size >= 0)):
        return "is neither a file nor a directory nor a symbolic link"
    return None


def leads_out(name, target):
    """Return whether the symbolic link `name`, a path below the directory, could lead out of it.

    `..` is allowed only at the start of the target: after another link it could lead anywhere.
    """
    parts = target.split("/")
    ups = 0
    while ups < len(parts) and parts[ups] == "..":
        ups += 1
    return target in ("", ".") or target.startswith("/") or ups > name.count("/") or ".." in parts[ups:]


# --- Comparison of directories ---


class Contents:
    """Number, bytes and checksum of the files in a directory, or in a tar of it.

    The checksum does not depend on the order of the files. It covers names, contents and targets of links; not times,
    modes or directories.
    """

    def __init__(self):
        self.files = self.bytes = self.sum = 0

    def add(self, name, chunks, layout=None):
        """Add a file with the bytes that `chunks` yields; for a sparse one, which has a `layout`, only its data."""
        digest = self._digest("sparse" if layout else "file", name)
        if layout:
            digest.update(f"{layout}\0".encode())
        for chunk in chunks:
            digest.update(chunk)
            self.bytes += len(chunk)
        self.files += 1
        self._take(digest)

    def add_link(self, name, target):
        """Add a symbolic link."""
        digest = self._digest("link", name)
        digest.update(encoded(target))
        self._take(digest)

    def _digest(self, kind, name):
        # Unambiguous, as a name has no zero byte.
        return hashlib.sha256(kind.encode() + b"\0" + encoded(name) + b"\0")

    def _take(self, digest):
        self.sum = (self.sum + int.from_bytes(digest.digest(), "big")) % (1 << 256)

    def result(self):
        """Return [number of files, bytes, checksum]."""
        return [self.files, self.bytes, f"{self.sum:064x}"]


def encoded(name):
    """Return a name as the bytes on the disk, independent of this process's locale."""
    return name.encode("utf-8", "surrogateescape")


def in_tar(source):
    """Return Contents.result() of the tar in the file `source`. Raises what `members` raises."""
    contents = Contents()
    for tar, member in members(source):
        if member.isreg():
            contents.add(member.name, pieces(tar.extractfile(member)), member.layout)
        elif member.issym():
            contents.add_link(member.name, member.linkname)
    return contents.result()


def in_folder(folder, layouts=None):
    """Return Contents.result() of a directory, read from the disk; `layouts` are those of sparse files, by name."""
    contents = Contents()
    for path, name in entries(folder, False):
        mode = os.lstat(path).st_mode
        if stat.S_ISREG(mode):
            with open(path, "rb") as file:
                drop_cached_pages(file)
                layout = (layouts or {}).get(name)
                if layout:
                    # The actual size, so that a truncated or extended file is noticed.
                    layout = os.fstat(file.fileno()).st_size, layout[1]
                contents.add(name, parts_of(file, layout[1]) if layout else pieces(file), layout)
        elif stat.S_ISLNK(mode):
            contents.add_link(name, os.readlink(path))
    return contents.result()


def drop_cached_pages(file):
    """Drop a file's pages from the page cache, so that it is read from the disk."""
    if hasattr(os, "posix_fadvise"):
        os.posix_fadvise(file.fileno(), 0, 0, os.POSIX_FADV_DONTNEED)


def pieces(file, length=sys.maxsize):
    """Yield the next `length` bytes of a file, or the rest if there are fewer."""
    while chunk := file.read(min(length, CHUNK)):
        length -= len(chunk)
        yield chunk


def parts_of(file, parts):
    """Yield the bytes of some parts of a file, given as (offset, length)."""
    for offset, length in parts:
        file.seek(offset)
        yield from pieces(file, length)


# --- Pack ---


def entries(folder, without_caches, on_error=None):
    """Yield (path, path relative to `folder`) of everything below `folder`, parents first.

    Mount points are yielded as empty directories, as their files are not in this volume. `on_error` is called with the
    OSError of a directory that cannot be listed.
    """
    mounted = mount_points()
    for parent, folders, names in os.walk(folder, onerror=on_error):
        below = os.path.relpath(parent, folder)
        relative = {name: name if below == "." else f"{below}/{name}" for name in (*folders, *names)}
        left_out = {STAGING} if below == "." else set()
        if without_caches:
            left_out |= {name for name in relative if name in CACHE_NAMES or relative[name] in CACHES}
        kept = (name for name in folders if name not in left_out)
        folders[:] = [name for name in kept if os.path.join(parent, name) not in mounted]
        for name in relative:
            if name not in left_out:
                yield os.path.join(parent, name), relative[name]


def mount_points():
    """Return the paths of all mount points; os.path.ismount() does not recognize a bind mount from the same disk."""
    try:
        with open("/proc/self/mountinfo", encoding="utf-8", errors="surrogateescape") as lines:
            paths = [line.split(" ")[4] for line in lines]
    except FileNotFoundError:
        # Not Linux, so not in a container.
        return set()
    return {re.sub(r"\\([0-7]{3})", lambda octal: chr(int(octal[1], 8)), path) for path in paths}


class Stored:
    """The content of a file for a tar, with the size at the time of opening.

    Data appended later is ignored; data that was truncated or cannot be read is replaced by zeros, `error` is then why.
    """

    def __init__(self, file, layout):
        self.file = file
        self.error = None
        self.rest = b""
        self.parts = layout[1]
        if is_sparse(layout):
            # GNU tar takes the file's size from an empty last part.
            self.parts = [*layout[1], (layout[0], 0)]
            numbers = [len(self.parts), *(number for part in self.parts for number in part)]
            text = "".join(f"{number}\n" for number in numbers).encode()
            self.rest = text.ljust(-len(text) // tarfile.BLOCKSIZE * -tarfile.BLOCKSIZE, b"\0")
        self.size = len(self.rest) + sum(length for _, length in self.parts)
        self.pieces = self._pieces()

    def _pieces(self):
        for offset, length in self.parts:
            self.file.seek(offset)
            while length:
                wanted = min(length, CHUNK)
                yield self._read(wanted).ljust(wanted, b"\0")
                length -= wanted

    def _read(self, size):
        try:
            return b"" if self.error else self.file.read(size)
        except OSError as error:
            self.error = error
            return b""

    def read(self, size):
        """Return `size` bytes."""
        while len(self.rest) < size:
            self.rest += next(self.pieces)
        data, self.rest = self.rest[:size], self.rest[size:]
        return data


def is_sparse(layout):
    """Return whether a layout, (size, parts), has holes."""
    size, parts = layout
    return parts != [(0, size)]


def sparse_headers(name, size):
    """Return the PAX headers that mark a sparse file: its name, and its size including holes."""
    headers = {"major": "1", "minor": "0", "name": name, "realsize": str(size)}
    return {f"GNU.sparse.{key}": value for key, value in headers.items()}


def layout_of(file, size, used):
    """Return a file's layout: its size, and its parts that are not holes as a list of (offset, length).

    `size` is its size, `used` its disk usage, both in bytes. Raises OSError if it is too large to restore, or has
    too many holes to keep but would be many times as large without them.
    """
    whole = size, [(0, size)]
    if size - used < MIN_HOLE:
        return whole
    parts, end = [], 0
    try:
        while end < size and (start := os.lseek(file.fileno(), end, os.SEEK_DATA)) < size:
            end = min(os.lseek(file.fileno(), start, os.SEEK_HOLE), size)
            if parts and start - sum(parts[-1]) < MIN_HOLE:
                start = parts.pop()[0]
            parts.append((start, end - start))
            if len(parts) == MAX_PARTS:
                if size < 4 * used:
                    return whole
                raise OSError(errno.EFBIG, "a sparse file with too many holes")
    except OSError as error:
        if error.errno == errno.EINVAL:
            # The file system does not support holes.
            return whole
        # ENXIO: only a hole follows.
        if error.errno != errno.ENXIO:
            raise
    if size > MAX_SIZE:
        raise OSError(errno.EFBIG, "a sparse file of more than 16 TiB")
    return size, parts


class LeftOut(dict):
    """The files that are not in a backup: by reason, their number and the names of the first few."""

    def note(self, reason, name):
        """Note that a file is left out, and why."""
        count, names = self.get(reason, (0, []))
        self[reason] = count + 1, [*names, name][:MAX_NAMED]

    def note_error(self, error, name):
        """Note that a file is left out due to an OSError, unless it was deleted or replaced, or is a pipe or socket."""
        if error.errno not in (errno.ENOENT, errno.ENOTDIR, errno.ELOOP, errno.ENXIO):
            self.note(f"it cannot be read ({error.strerror})", name)


def pack(folder, out, without_caches):
    """Write everything below `folder` as a tar to the file `out`; return a dictionary for the manifest and the user.

    It has the number of `files`, their stored `bytes`, and `left_out`, a LeftOut: files that cannot be read, or that a
    restore would refuse, such as links that lead out of the directory. Sockets, pipes and files that are deleted in the
    meantime are omitted silently.
    """
    files = size = 0
    left_out, links = LeftOut(), set()

    def on_error(error):
        # A directory that cannot be read, or whose path is too long, is noted as an entry.
        if error.errno not in (errno.EACCES, errno.ENAMETOOLONG):
            left_out.note_error(error, os.path.relpath(error.filename, folder))

    options = {"format": tarfile.PAX_FORMAT, "bufsize": CHUNK, "copybufsize": CHUNK}
    with tarfile.open(fileobj=out, mode="w|", **options) as tar:
        for path, name in entries(folder, without_caches, on_error):
            with contextlib.ExitStack() as stack:
                try:
                    header, stored = member_of(path, name, stack)
                except OSError as error:
                    left_out.note_error(error, name)
                    continue
                if reason := problem(header, links):
                    left_out.note(f"it {reason}", name)
                    continue
                # Errors from here on are those of the output, not of the file.
                tar.addfile(header, stored)
            if header.issym():
                links.add(name)
            elif stored:
                files, size = files + 1, size + sum(length for _, length in stored.parts)
                if stored.error:
                    left_out.note(f"a part cannot be read ({stored.error.strerror}) and is zeros in the backup", name)
            # tarfile keeps every member, too much memory for a million files.
            tar.members.clear()
    return {"files": files, "bytes": size, "left_out": left_out}


def member_of(path, name, stack):
    """Return (header, Stored or None) for a file, directory or symbolic link; the ExitStack `stack` closes the file.

    Raises OSError if it cannot be read, or contains no data.
    """
    status = os.lstat(path)
    if len(encoded(name)) > MAX_PATH:
        raise OSError(errno.ENAMETOOLONG, os.strerror(errno.ENAMETOOLONG))
    header, stored = tarfile.TarInfo(name), None
    header.mode, header.mtime = stat.S_IMODE(status.st_mode), int(status.st_mtime)
    if stat.S_ISLNK(status.st_mode):
        header.type, header.linkname = tarfile.SYMTYPE, os.readlink(path)
    elif stat.S_ISDIR(status.st_mode):
        if not os.access(path, os.R_OK | os.X_OK):
            raise PermissionError(errno.EACCES, os.strerror(errno.EACCES))
        header.type = tarfile.DIRTYPE
    elif stat.S_ISREG(status.st_mode):
        # It may have been replaced since by a pipe, on which open() would block, a link or a directory.
        descriptor = os.open(path, os.O_RDONLY | os.O_NOFOLLOW | os.O_NONBLOCK)
        file = stack.enter_context(os.fdopen(descriptor, "rb"))
        status = os.fstat(file.fileno())
        if not stat.S_ISREG(status.st_mode):
            raise OSError(errno.ENXIO, "was replaced")
        layout = layout_of(file, status.st_size, status.st_blocks * 512)
        stored = Stored(file, layout)
        header.size = stored.size
        if is_sparse(layout):
            header.pax_headers = sparse_headers(name, layout[0])
        # Leave out a file that cannot be read at all, rather than store zeros.
        file.seek(stored.parts[0][0])
        file.peek()
    else:
        raise OSError(errno.ENXIO, "contains no data")
    return header, stored


def measure(folder, without_caches):
    """Return the `bytes` of the files below `folder`, without holes, and the `largest` as (bytes, name)."""
    total, largest = 0, (0, "")
    for path, name in entries(folder, without_caches):
        with contextlib.suppress(OSError):
            status = os.lstat(path)
            if stat.S_ISREG(status.st_mode):
                size = min(status.st_size, status.st_blocks * 512)
                total, largest = total + size, max(largest, (size, name))
    return {"bytes": total, "largest": largest}


# --- Unpack and swap ---


def unpack(folder, source):
    """Unpack the tar in the file `source` into the staging directory of `folder`; return the result of `in_folder`."""
    new = os.path.join(folder, STAGING, "new")
    os.makedirs(new)
    folders, layouts = [], {}
    for tar, member in members(source):
        path = os.path.join(new, member.name)
        os.makedirs(path if member.isdir() else os.path.dirname(path), exist_ok=True)
        if member.isdir():
            folders.append((path, member.mode, member.mtime))
        elif member.issym():
            os.symlink(member.linkname, path)
        else:
            descriptor = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_NOFOLLOW, 0o600)
            with open(descriptor, "wb") as file:
                data = tar.extractfile(member)
                size, parts = member.layout or (member.size, [(0, member.size)])
                for offset, length in parts:
                    file.seek(offset)
                    file.writelines(pieces(data, length))
                file.truncate(size)
                # `in_folder` below has to read it.
                os.fchmod(file.fileno(), member.mode & 0o777 | stat.S_IRUSR)
            os.utime(path, (member.mtime, member.mtime))
            if member.layout:
                layouts[member.name] = member.layout
    # Everything is on the disk before old files are deleted.
    os.sync()
    contents = in_folder(new, layouts)
    # Last, as nothing can be created in a read-only directory.
    for path, mode, mtime in reversed(folders):
        os.utime(path, (mtime, mtime))
        os.chmod(path, mode & 0o777)
    return contents


def swap(folder):
    """Replace the files in `folder` by the unpacked ones; keep the old ones in the staging directory."""
    new, old, incoming = (os.path.join(folder, STAGING, name) for name in ("new", "old", "incoming"))
    os.mkdir(old)
    move_all(folder, old)
    os.rename(new, incoming)
    move_all(incoming, folder)
    os.sync()


def roll_back(folder):
    """Undo a swap, complete or interrupted, or finish undoing it; delete the unpacked files."""
    new, old, incoming = (os.path.join(folder, STAGING, name) for name in ("new", "old", "incoming"))
    if os.path.exists(incoming):
        move_all(folder, incoming)
        os.rename(incoming, new)
    if os.path.exists(old):
        move_all(old, folder)
    discard(folder)


def discard(folder):
    """Delete the staging directory of `folder`."""
    staging = os.path.join(folder, STAGING)
    # Files in a read-only directory cannot be deleted.
    for parent, folders, _ in os.walk(staging):
        for name in folders:
            path = os.path.join(parent, name)
            if not os.path.islink(path):
                os.chmod(path, 0o700)
    if os.path.isdir(staging) and not os.path.islink(staging):
        shutil.rmtree(staging)
    elif os.path.lexists(staging):
        os.unlink(staging)


def move_all(source, target):
    """Move everything in `source`, except the staging directory, to the directory `target` of the same volume."""
    for name in os.listdir(source):
        if name == STAGING:
            continue
        path = os.path.join(source, name)
        mode = os.lstat(path).st_mode
        # A read-only directory cannot be moved to another parent.
        fixed = stat.S_ISDIR(mode) and not mode & stat.S_IWUSR
        if fixed:
            os.chmod(path, stat.S_IMODE(mode) | stat.S_IWUSR)
        os.rename(path, os.path.join(target, name))
        if fixed:
            os.chmod(os.path.join(target, name), stat.S_IMODE(mode))


def state(folder):
    """Return the state of `folder` before a restore: its `device`, the bytes `free` there, `has_files`, `has_remains`.

    `has_files` ignores the files of a new home: hidden ones and the image's examples. `has_remains` is whether there is
    a staging directory.
    """
    files = (name for path, name in entries(folder, True) if not os.path.isdir(path) and not is_example(path, name))
    status = os.statvfs(folder)
    return {
        "device": os.stat(folder).st_dev,
        "free": status.f_bavail * status.f_frsize,
        "has_remains": os.path.lexists(os.path.join(folder, STAGING)),
        "has_files": any(not name.startswith(".") for name in files),
    }


def is_example(path, name):
    """Return whether a file, with the path `name` in the home, is an unchanged example or the record of examples."""
    return name == RECORD or (name.startswith("examples/") and same_file(path, os.path.join(IMAGE, name)))


def same_file(one, other):
    """Return whether two files exist and have the same content."""
    try:
        return filecmp.cmp(one, other, shallow=False)
    except OSError:
        return False


def main(action, folder, *options):
    """Run an action on `folder`; print its result as JSON, that of `pack` to standard error."""
    without_caches = "without-caches" in options
    # os.walk and shutil.rmtree of older Pythons recurse; a path has at most 2048 directories.
    sys.setrecursionlimit(10_000)
    if action == "pack":
        print(json.dumps(pack(folder, sys.stdout.buffer, without_caches)), file=sys.stderr)
        return
    actions = {
        "measure": lambda: measure(folder, without_caches),
        "unpack": lambda: unpack(folder, sys.stdin.buffer),
        "state": lambda: state(folder),
        "swap": lambda: swap(folder),
        "roll_back": lambda: roll_back(folder),
        "discard": lambda: discard(folder),
    }
    print(json.dumps(actions[action]()))


if __name__ == "__main__":
    main(*sys.argv[1:])
