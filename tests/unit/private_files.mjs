// The private file system of a browser (OPFS), as far as web/files/ uses it, on a folder of the disk:
// for Node.js, which has none. `room` bytes may be written in all.
import fs from "node:fs";
import path from "node:path";

export class Folder {
  constructor(place, room = { left: Infinity }) {
    this.place = place;
    this.room = room;
    this.held = new Set();
    this.folders = new Map();
    fs.mkdirSync(place, { recursive: true });
  }

  async getDirectoryHandle(name) {
    if (!this.folders.has(name)) this.folders.set(name, new Folder(path.join(this.place, name), this.room));
    return this.folders.get(name);
  }

  async getFileHandle(name, { create = false } = {}) {
    const file = path.join(this.place, name);
    if (create) fs.closeSync(fs.openSync(file, "a"));
    else if (!fs.existsSync(file)) throw new DOMException(name, "NotFoundError");
    return new FileHandle(this, name);
  }

  async* keys() {
    yield* fs.readdirSync(this.place).filter((name) => !fs.statSync(path.join(this.place, name)).isDirectory());
  }

  async removeEntry(name) {
    if (this.held.has(name)) throw new DOMException(name, "NoModificationAllowedError");
    if (!fs.existsSync(path.join(this.place, name))) throw new DOMException(name, "NotFoundError");
    fs.rmSync(path.join(this.place, name));
  }
}

class FileHandle {
  constructor(folder, name) {
    Object.assign(this, { folder, name });
  }

  get place() {
    return path.join(this.folder.place, this.name);
  }

  async getFile() {
    const bytes = fs.readFileSync(this.place);
    return new File([bytes], this.name, { lastModified: fs.statSync(this.place).mtimeMs });
  }

  async move(name) {
    if (this.folder.held.has(this.name)) throw new DOMException(name, "NoModificationAllowedError");
    fs.renameSync(this.place, path.join(this.folder.place, name));
    this.name = name;
  }

  async createSyncAccessHandle() {
    const { folder, name, place } = this;
    if (folder.held.has(name)) throw new DOMException(name, "NoModificationAllowedError");
    folder.held.add(name);
    const file = fs.openSync(place, "r+");
    const grow = (size) => {
      const more = size - fs.fstatSync(file).size;
      if (more > folder.room.left) throw new DOMException("full", "QuotaExceededError");
      folder.room.left -= Math.max(0, more);
    };
    return {
      truncate(size) { grow(size); fs.ftruncateSync(file, size); },
      write(bytes, { at }) {
        if (folder.room.full) return 0; // another site took the room
        grow(at + bytes.length);
        return fs.writeSync(file, bytes, 0, bytes.length, at);
      },
      read: (bytes, { at }) => fs.readSync(file, bytes, 0, bytes.length, at),
      getSize: () => fs.fstatSync(file).size,
      flush() {},
      close() {
        if (folder.held.delete(name)) fs.closeSync(file);
      },
    };
  }
}
