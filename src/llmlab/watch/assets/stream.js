// A run's log as it grows. The byte that was read last is all there is to remember: after a break
// the same connection goes on from there.

const SOONEST = 500;
const LATEST = 5000;

export class Stream {
  constructor(name, { rows, forget, state }) {
    this.name = name;
    this.tell = { rows, forget, state };
    this.at = 0;
    this.size = 0;
    this.file = null;
    this.wait = SOONEST;
    this.isOpen = false;
    this.#open();
  }

  close() {
    this.isClosed = true;
    clearTimeout(this.timer);
    this.socket?.close();
  }

  #open() {
    const query = new URLSearchParams({ run: this.name, from: this.at });
    if (this.file !== null) query.set("file", this.file);
    const scheme = location.protocol === "https:" ? "wss" : "ws";
    this.socket = new WebSocket(`${scheme}://${location.host}/ws?${query}`);
    this.socket.addEventListener("open", () => {
      this.wait = SOONEST;
      this.isOpen = true;
      this.tell.state();
    });
    this.socket.addEventListener("message", (message) => this.#take(JSON.parse(message.data)));
    this.socket.addEventListener("close", () => this.#again());
  }

  // whether more of the log is on its way
  get isBehind() {
    return this.at < this.size;
  }

  #take({ file, from, next, size, rows }) {
    this.size = size;
    if (from !== this.at || (this.file !== null && file !== this.file)) this.tell.forget();
    this.at = next;
    this.file = file;
    this.tell.rows(rows);
  }

  #again() {
    this.isOpen = false;
    if (this.isClosed) return;
    this.tell.state();
    this.timer = setTimeout(() => this.#open(), this.wait);
    this.wait = Math.min(LATEST, 2 * this.wait);
  }
}
