"""What is done with the files of a volume, inside a container that has it: pack them, unpack beside them, swap.

The text of this program is handed to a container as `python -c`, so it needs the standard library and no other file. It
runs as the user whose files these are: what it unpacks belongs to the right one, with no capability.
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
# Where the image of the notebook has its examples.
IMAGE = "/opt/data-toolbox"
# What the notebook notes about those that it put into the home.
RECORD = "examples/.shipped.json"
# A restore works in here, beside the files that it is to replace. In it:
#   new        what is unpacked; once it is whole, the swap can begin
#   old        what was there, moved aside by the swap
#   incoming   `new`, under this name as soon as all that was there is in `old`
WORKSHOP = ".data-toolbox-restore"
# What programs make again by themselves: folders at the top of the home, and names at any depth of it.
CACHES = frozenset({".cache", ".local/share/Trash", ".local/share/jupyter/runtime"})
CACHE_NAMES = frozenset({".ipynb_checkpoints", "__pycache__"})
# The longest header of a member, in bytes; a path has 4096 at most.
LONGEST_HEADER = 1 << 16
# The longest path below the folder, in bytes: that of the workshop is put before it, and Linux takes 4095.
LONGEST_PATH = 4000
# The smallest hole of a sparse file that is kept, in bytes: smaller ones are stored as zeros.
HOLE = 1 << 16
# Into how many parts the holes may divide a file.
PARTS = 100_000
# The largest file of ext4, in bytes. Others hold larger ones, with holes, which could not be restored on every machine.
LARGEST = (1 << 44) - 4096
# How many of the files that are left out are named.
NAMED = 5


class Header(tarfile.TarInfo):
    """A member of a tar. Names that are too long for one block come in a block of their own, which is read at once.

    A sparse file, in the format 1.0 of GNU tar (https://www.gnu.org/software/tar/manual/html_node/PAX-1.html), is a
    file of the bytes that are stored; `layout` is then its real size and the parts that these are, as (offset, length).
    """

    layout = None

    def _proc_member(self, tar):
        if self.type not in (tarfile.REGTYPE, tarfile.AREGTYPE) and self.size > LONGEST_HEADER:
            raise tarfile.ReadError("a header that is too long")
        if self.type == tarfile.GNUTYPE_SPARSE:
            raise tarfile.ReadError("a sparse file of an old format")
        return super()._proc_member(tar)

    def _proc_gnusparse_10(self, member, pax_headers, tar):
        """Read the map that a sparse file begins with, as tarfile would with no bounds, and wrongly from 8 GiB on."""
        if self.type != tarfile.XHDTYPE or not member.isreg() or member.layout:
            raise tarfile.ReadError("a map of a sparse file where there is none")
        start = tar.fileobj.tell()
        stored = int(pax_headers.pop("size", member.size))
        real = int(pax_headers.pop("GNU.sparse.realsize"))
        numbers = map_numbers(tar.fileobj)
        count = next(numbers)
        if count > PARTS:
            raise tarfile.ReadError("a sparse file of too many parts")
        parts = [(next(numbers), next(numbers)) for _ in range(count)]
        member.offset_data = tar.fileobj.tell()
        member.size = sum(length for _, length in parts)
        ends = [0, *(offset + length for offset, length in parts)]
        ascending = all(end <= offset for end, (offset, _) in zip(ends, parts, strict=False))
        if not ascending or not ends[-1] <= real <= LARGEST or stored != member.offset_data - start + member.size:
            raise tarfile.ReadError("a sparse file whose map does not fit")
        member.layout = real, parts
        tar.offset = start + member._block(stored)


def map_numbers(file):
    """Yield the numbers of the map that a sparse member begins with, read from a file block by block."""
    text = b""
    while True:
        while b"\n" not in text:
            block = file.read(tarfile.BLOCKSIZE)
            # The largest size of a file has 14 digits.
            if not block or len(text) > 14:
                raise tarfile.ReadError("a sparse file without a map")
            text += block
        number, text = text.split(b"\n", 1)
        if not number.isdigit() or len(number) > 14:
            raise tarfile.ReadError("a sparse file without a map")
        yield int(number)


# --- What may be in a tar ---


def members(source):
    """Yield the tar in the file `source` with each of its members, which can be read until the next is asked for.

    Raises ValueError at a member that could be put, or lead, outside of the folder; tarfile.TarError, or another
    ValueError, where it is no tar.
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
    """Return why a member must not be unpacked, or None; `links` are the names of the symbolic links before it."""
    parts = member.name.split("/")
    if member.name.startswith("/") or "\0" in member.name or any(part in ("", ".", "..") for part in parts):
        return "has no name of a file below the folder"
    if parts[0] == WORKSHOP:
        return "is where a restore works"
    if any("/".join(parts[:count]) in links for count in range(1, len(parts) + 1)):
        return "is behind a link"
    if member.issym():
        return "leads out of the folder" if leads_out(member.name, member.linkname) else None
    if not (member.isdir() or (member.isreg() and not member.issparse() and member.size >= 0)):
        return "is neither a file nor a folder nor a symbolic link"
    return None


def leads_out(name, target):
    """Return whether the symbolic link `name` could lead out of the folder that it is below.

    Only at the beginning of the target is `..` let through: behind another link it could lead anywhere.
    """
    parts = target.split("/")
    ups = 0
    while ups < len(parts) and parts[ups] == "..":
        ups += 1
    return target in ("", ".") or target.startswith("/") or ups > name.count("/") or ".." in parts[ups:]


# --- What makes two folders the same ---


class Contents:
    """What is in a folder or in a tar of it: the number of files, their bytes, and a checksum of all of that.

    The checksum is the same in whatever order the files come. It covers the names and bytes of files, and where links
    lead; times and rights are left out, and so are folders.
    """

    def __init__(self):
        self.files = self.bytes = self.sum = 0

    def add(self, name, chunks, layout=None):
        """Add a file with the bytes that `chunks` yields; of a sparse one, with that layout, only those stored."""
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
        digest.update(in_bytes(target))
        self._take(digest)

    def _digest(self, kind, name):
        # A name has no zero byte, so nothing else can look the same.
        return hashlib.sha256(kind.encode() + b"\0" + in_bytes(name) + b"\0")

    def _take(self, digest):
        self.sum = (self.sum + int.from_bytes(digest.digest(), "big")) % (1 << 256)

    def result(self):
        """Return the number of files, their bytes and the checksum, as they are compared."""
        return [self.files, self.bytes, f"{self.sum:064x}"]


def in_bytes(name):
    """Return a name as it is on the disk, whatever the settings of this process are."""
    return name.encode("utf-8", "surrogateescape")


def in_tar(source):
    """Return the contents of the tar in the file `source`, or raise what `members` raises."""
    contents = Contents()
    for tar, member in members(source):
        if member.isreg():
            contents.add(member.name, pieces(tar.extractfile(member)), member.layout)
        elif member.issym():
            contents.add_link(member.name, member.linkname)
    return contents.result()


def in_folder(folder, layouts=None):
    """Return the contents of a folder, read from the disk; `layouts` are those of its sparse files, by name."""
    contents = Contents()
    for path, name in entries(folder, False):
        mode = os.lstat(path).st_mode
        if stat.S_ISREG(mode):
            with open(path, "rb") as file:
                forget_in_memory(file)
                layout = (layouts or {}).get(name)
                if layout:
                    # A file of another size is another one.
                    layout = os.fstat(file.fileno()).st_size, layout[1]
                contents.add(name, parts_of(file, layout[1]) if layout else pieces(file), layout)
        elif stat.S_ISLNK(mode):
            contents.add_link(name, os.readlink(path))
    return contents.result()


def forget_in_memory(file):
    """Have a file, which was written, read from the disk: what is in memory is only what should be there."""
    if hasattr(os, "posix_fadvise"):
        os.posix_fadvise(file.fileno(), 0, 0, os.POSIX_FADV_DONTNEED)


def pieces(file, length=sys.maxsize):
    """Yield the next `length` bytes of a file, or all that there are."""
    while chunk := file.read(min(length, CHUNK)):
        length -= len(chunk)
        yield chunk


def parts_of(file, parts):
    """Yield the bytes of the parts of a file, given as (offset, length)."""
    for offset, length in parts:
        file.seek(offset)
        yield from pieces(file, length)


# --- Pack ---


def entries(folder, without_caches, unlisted=None):
    """Yield (path, path below `folder`) of everything below `folder`, a folder before what is in it.

    What is mounted below it is not of this volume: it is an empty folder here. `unlisted` is called with the OSError of
    a folder that cannot be listed.
    """
    mounted = mount_points()
    for parent, folders, names in os.walk(folder, onerror=unlisted):
        below = os.path.relpath(parent, folder)
        relative = {name: name if below == "." else f"{below}/{name}" for name in (*folders, *names)}
        left_out = {WORKSHOP} if below == "." else set()
        if without_caches:
            left_out |= {name for name in relative if name in CACHE_NAMES or relative[name] in CACHES}
        kept = (name for name in folders if name not in left_out)
        folders[:] = [name for name in kept if os.path.join(parent, name) not in mounted]
        for name in relative:
            if name not in left_out:
                yield os.path.join(parent, name), relative[name]


def mount_points():
    """Return the folders where something is mounted. A folder of the same disk can be told by nothing else."""
    try:
        with open("/proc/self/mountinfo", encoding="utf-8", errors="surrogateescape") as lines:
            paths = [line.split(" ")[4] for line in lines]
    except FileNotFoundError:
        # No Linux, and so no container.
        return set()
    return {re.sub(r"\\([0-7]{3})", lambda octal: chr(int(octal[1], 8)), path) for path in paths}


class Stored:
    """What a tar has of a file, as it was when its size was asked: what is added meanwhile is left, what is cut off or
    cannot be read is zeros. `error` is then why it cannot.
    """

    def __init__(self, file, layout):
        self.file = file
        self.error = None
        self.rest = b""
        self.parts = layout[1]
        if is_sparse(layout):
            # GNU tar takes the size of the file from a part without bytes at the end.
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
    """Return whether a layout, a size and parts, has holes."""
    size, parts = layout
    return parts != [(0, size)]


def sparse_headers(name, size):
    """Return the headers that tell a sparse file from others: its name, and its size with its holes."""
    headers = {"major": "1", "minor": "0", "name": name, "realsize": str(size)}
    return {f"GNU.sparse.{key}": value for key, value in headers.items()}


def layout_of(file, size, used):
    """Return the size of a file and its parts that are not holes, as a list of (offset, length).

    `size` is its size, and `used` what it takes on the disk, both in bytes. Raises OSError when it is too large to be
    restored, or has so many holes that it would be many times as large without them.
    """
    whole = size, [(0, size)]
    if size - used < HOLE:
        return whole
    parts, end = [], 0
    try:
        while end < size and (start := os.lseek(file.fileno(), end, os.SEEK_DATA)) < size:
            end = min(os.lseek(file.fileno(), start, os.SEEK_HOLE), size)
            if parts and start - sum(parts[-1]) < HOLE:
                start = parts.pop()[0]
            parts.append((start, end - start))
            if len(parts) == PARTS:
                if size < 4 * used:
                    return whole
                raise OSError(errno.EFBIG, "a sparse file with too many holes")
    except OSError as error:
        if error.errno == errno.EINVAL:
            # The file system knows no holes.
            return whole
        # After the last part there is nothing but a hole.
        if error.errno != errno.ENXIO:
            raise
    if size > LARGEST:
        raise OSError(errno.EFBIG, "a sparse file of more than 16 TiB")
    return size, parts


class LeftOut(dict):
    """What is not in a backup: for each reason how many files that are, and the names of the first of them."""

    def note(self, reason, name):
        """Note a file, and why it is left out."""
        count, names = self.get(reason, (0, []))
        self[reason] = count + 1, [*names, name][:NAMED]

    def note_error(self, error, name):
        """Note a file that an OSError leaves out, unless it is gone, was replaced, or is a pipe or a socket."""
        if error.errno not in (errno.ENOENT, errno.ENOTDIR, errno.ELOOP, errno.ENXIO):
            self.note(f"it cannot be read ({error.strerror})", name)


def pack(folder, out, without_caches):
    """Write everything below `folder` as a tar to the file `out`; return what is in it, for the manifest and the user.

    That is the number of `files`, their `bytes` that are stored, and what was `left_out`, a LeftOut: what cannot be
    read, and what a restore would refuse, such as links that lead out of the folder. Left out without a word is what
    holds no data: sockets, pipes, and files that are deleted meanwhile.
    """
    files = size = 0
    left_out, links = LeftOut(), set()

    def unlisted(error):
        # A folder without the right to read it, or with too long a path, is noted by itself.
        if error.errno not in (errno.EACCES, errno.ENAMETOOLONG):
            left_out.note_error(error, os.path.relpath(error.filename, folder))

    options = {"format": tarfile.PAX_FORMAT, "bufsize": CHUNK, "copybufsize": CHUNK}
    with tarfile.open(fileobj=out, mode="w|", **options) as tar:
        for path, name in entries(folder, without_caches, unlisted):
            with contextlib.ExitStack() as stack:
                try:
                    header, stored = member_of(path, name, stack)
                except OSError as error:
                    left_out.note_error(error, name)
                    continue
                if reason := problem(header, links):
                    left_out.note(f"it {reason}", name)
                    continue
                # What goes wrong from here on is not the file, but its way out of the container.
                tar.addfile(header, stored)
            if header.issym():
                links.add(name)
            elif stored:
                files, size = files + 1, size + sum(length for _, length in stored.parts)
                if stored.error:
                    left_out.note(f"a part cannot be read ({stored.error.strerror}) and is zeros in the backup", name)
            # It keeps all that it has seen, which would be much for a million files.
            tar.members.clear()
    return {"files": files, "bytes": size, "left_out": left_out}


def member_of(path, name, stack):
    """Return the header for a file, folder or symbolic link, and what a tar has of a file; `stack` closes that.

    Raises OSError when it cannot be read, or holds no data.
    """
    status = os.lstat(path)
    if len(in_bytes(name)) > LONGEST_PATH:
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
        # It may have been replaced since: by a pipe, for which open() would wait, or by a link or a folder.
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
        # One that cannot be read at all is better left out than begun.
        file.seek(stored.parts[0][0])
        file.peek()
    else:
        raise OSError(errno.ENXIO, "holds no data")
    return header, stored


def measure(folder, without_caches):
    """Return how many bytes the files below `folder` take, without holes, and the `largest`: its bytes and its name."""
    total, largest = 0, (0, "")
    for path, name in entries(folder, without_caches):
        with contextlib.suppress(OSError):
            status = os.lstat(path)
            if stat.S_ISREG(status.st_mode):
                size = min(status.st_size, status.st_blocks * 512)
                total, largest = total + size, max(largest, (size, name))
    return {"bytes": total, "largest": largest}


# --- Unpack beside what is there, and swap ---


def unpack(folder, source):
    """Unpack the tar in the file `source` into the workshop of `folder`; return the contents of what is there then."""
    new = os.path.join(folder, WORKSHOP, "new")
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
                # Its owner can read it, as now below.
                os.fchmod(file.fileno(), member.mode & 0o777 | stat.S_IRUSR)
            os.utime(path, (member.mtime, member.mtime))
            if member.layout:
                layouts[member.name] = member.layout
    # All of it is on the disk before anything that was there is deleted.
    os.sync()
    contents = in_folder(new, layouts)
    # Last, because nothing can be put into a folder that must not be written.
    for path, mode, mtime in reversed(folders):
        os.utime(path, (mtime, mtime))
        os.chmod(path, mode & 0o777)
    return contents


def swap(folder):
    """Put what was unpacked in the place of what was there, which is kept in the workshop."""
    new, old, incoming = (os.path.join(folder, WORKSHOP, name) for name in ("new", "old", "incoming"))
    os.mkdir(old)
    move_all(folder, old)
    os.rename(new, incoming)
    move_all(incoming, folder)
    os.sync()


def back(folder):
    """Undo a swap, finished or broken off at any point, or an undoing that was; delete what was unpacked."""
    new, old, incoming = (os.path.join(folder, WORKSHOP, name) for name in ("new", "old", "incoming"))
    if os.path.exists(incoming):
        move_all(folder, incoming)
        os.rename(incoming, new)
    if os.path.exists(old):
        move_all(old, folder)
    forget(folder)


def forget(folder):
    """Delete the workshop of `folder` with all that is in it."""
    workshop = os.path.join(folder, WORKSHOP)
    # What is in a folder that must not be written cannot be deleted.
    for parent, folders, _ in os.walk(workshop):
        for name in folders:
            path = os.path.join(parent, name)
            if not os.path.islink(path):
                os.chmod(path, 0o700)
    if os.path.isdir(workshop) and not os.path.islink(workshop):
        shutil.rmtree(workshop)
    elif os.path.lexists(workshop):
        os.unlink(workshop)


def move_all(source, target):
    """Move everything in the folder `source`, but the workshop, into the folder `target` of the same volume."""
    for name in os.listdir(source):
        if name == WORKSHOP:
            continue
        path = os.path.join(source, name)
        mode = os.lstat(path).st_mode
        # A folder that must not be written cannot be moved to another folder either.
        fixed = stat.S_ISDIR(mode) and not mode & stat.S_IWUSR
        if fixed:
            os.chmod(path, stat.S_IMODE(mode) | stat.S_IWUSR)
        os.rename(path, os.path.join(target, name))
        if fixed:
            os.chmod(os.path.join(target, name), stat.S_IMODE(mode))


def state(folder):
    """Return what a restore asks first: the device that `folder` is on, the bytes free there, and what is in it.

    That is whether it has files, of which those that a new home has do not count, and remains of a restore. A new home
    has hidden ones, and the examples of the image.
    """
    files = (name for path, name in entries(folder, True) if not os.path.isdir(path) and not is_example(path, name))
    status = os.statvfs(folder)
    return {
        "device": os.stat(folder).st_dev,
        "free": status.f_bavail * status.f_frsize,
        "has_remains": os.path.lexists(os.path.join(folder, WORKSHOP)),
        "has_files": any(not name.startswith(".") for name in files),
    }


def is_example(path, name):
    """Return whether a file of a home, `name` below it, is one of the examples as they came, or their record."""
    return name == RECORD or (name.startswith("examples/") and same_file(path, os.path.join(IMAGE, name)))


def same_file(one, other):
    """Return whether two files are there, and have the same bytes."""
    try:
        return filecmp.cmp(one, other, shallow=False)
    except OSError:
        return False


def main(action, folder, *options):
    """Do one of the above; print its result as JSON, that of `pack` to standard error."""
    without_caches = "without-caches" in options
    # os.walk and shutil.rmtree of older Pythons go down a folder by recursion; a path has 2048 folders at most.
    sys.setrecursionlimit(10_000)
    if action == "pack":
        print(json.dumps(pack(folder, sys.stdout.buffer, without_caches)), file=sys.stderr)
        return
    actions = {
        "measure": lambda: measure(folder, without_caches),
        "unpack": lambda: unpack(folder, sys.stdin.buffer),
        "state": lambda: state(folder),
        "swap": lambda: swap(folder),
        "back": lambda: back(folder),
        "forget": lambda: forget(folder),
    }
    print(json.dumps(actions[action]()))


if __name__ == "__main__":
    main(*sys.argv[1:])
