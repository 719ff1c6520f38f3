/* New: a dropped folder becomes a tar.gz in the browser and is sent with its progress; a name follows what is chosen. */
(function ($) {
  "use strict";
  var NEVER = [".git", ".hg", ".svn", "__pycache__", "*.pyc", ".venv", "venv", ".env", ".env.*", "node_modules", ".mypy_cache",
    ".ruff_cache", ".pytest_cache", ".hypothesis", ".ipynb_checkpoints", ".tox", ".nox", "*.egg-info", ".idea", ".vscode",
    ".DS_Store", "Thumbs.db", "*.swp", "*~"]; // as `ovd push`
  var MOST = 20000; // files
  var words = window.ovd.words, encoder = new TextEncoder(), chosen = null, isSending = false;

  /* Which files, by their paths in the folder */
  function pattern(text) {
    return new RegExp("^" + text.replace(/[.+^${}()|\\]/g, "\\$&").replace(/\*/g, ".*").replace(/\?/g, ".") + "$");
  }
  function isLeftOut(path, patterns) {
    var parts = path.split("/");
    return patterns.some(function (one) {
      var bare = one.replace(/\/+$/, ""), rule = pattern(bare.replace(/^\//, ""));
      return parts.some(function (part, place) { return rule.test(bare.indexOf("/") >= 0 ? parts.slice(0, place + 1).join("/") : part); });
    });
  }
  /* [{path, file}] below the folder that holds ovd.toml, in the order of their names. */
  async function kept(found) {
    var manifest = found.filter(function (one) { return /(^|\/)ovd\.toml$/.test(one.path); })
      .sort(function (a, b) { return a.path.split("/").length - b.path.split("/").length; })[0];
    if (!manifest) { throw new Error(words("There is no ovd.toml in this folder. Choose the folder of an application, as “ovd new” makes it.")); }
    var top = manifest.path.slice(0, -"ovd.toml".length);
    var inside = found.filter(function (one) { return one.path.indexOf(top) === 0; })
      .map(function (one) { return { path: one.path.slice(top.length), file: one.file }; });
    var ignore = inside.filter(function (one) { return one.path === ".ovdignore"; })[0];
    var own = ignore ? (await ignore.file.text()).split("\n").map(function (line) { return line.trim(); })
      .filter(function (line) { return line && line[0] !== "#"; }) : [];
    inside = inside.filter(function (one) { return !isLeftOut(one.path, NEVER.concat(own)); });
    if (inside.length > MOST) { throw new Error(words("The folder has {count} files; at most {most} can be sent. Leave data and caches out.", { count: inside.length, most: MOST })); }
    return inside.sort(function (a, b) { return a.path < b.path ? -1 : 1; });
  }

  /* A tar: a head of 512 bytes, the bytes, zeros up to the next 512 */
  function head(path, size, mode, kind) {
    var block = new Uint8Array(512), name = encoder.encode(path), sum = 0;
    function put(bytes, at) { block.set(bytes, at); }
    function octal(value, length, at) { put(encoder.encode(value.toString(8).padStart(length - 1, "0")), at); }
    put(name.slice(0, 100), 0);
    octal(mode, 8, 100); octal(0, 8, 108); octal(0, 8, 116); octal(size, 12, 124); octal(0, 12, 136);
    put(encoder.encode("        "), 148);
    put(encoder.encode(kind), 156);
    put(encoder.encode("ustar\0" + "00"), 257);
    block.forEach(function (byte) { sum += byte; });
    put(encoder.encode(sum.toString(8).padStart(6, "0") + "\0 "), 148);
    return block;
  }
  function padding(size) { return new Uint8Array((512 - size % 512) % 512); }
  function longName(path) { // a record of PAX: its own length, a space, path=…, a line's end
    var rest = " path=" + path + "\n", bytes = encoder.encode(rest).length, length = bytes + 1;
    while (String(length).length + bytes !== length) { length = String(length).length + bytes; }
    var record = encoder.encode(length + rest);
    return [head("PaxHeaders/" + path.length, record.length, 420, "x"), record, padding(record.length)];
  }
  async function pack(entries) {
    var parts = [];
    for (var one of entries) {
      var start = await one.file.slice(0, 2).text();
      if (encoder.encode(one.path).length > 100) { parts.push.apply(parts, longName(one.path)); }
      parts.push(head(one.path, one.file.size, start === "#!" ? 493 : 420, "0"), one.file, padding(one.file.size));
    }
    parts.push(new Uint8Array(1024));
    var stream = new Blob(parts).stream().pipeThrough(new CompressionStream("gzip"));
    return new Response(stream).blob();
  }

  /* Dropped folders are walked */
  function entriesOf(reader) { return new Promise(function (resolve, reject) { reader.readEntries(resolve, reject); }); }
  async function walk(entry, prefix, found) {
    var path = prefix + entry.name;
    if (entry.isFile) {
      found.push({ path: path, file: await new Promise(function (resolve, reject) { entry.file(resolve, reject); }) });
    } else if (!isLeftOut(entry.name, NEVER) && found.length <= MOST) {
      var reader = entry.createReader(), some = await entriesOf(reader);
      while (some.length) {
        for (var one of some) { await walk(one, path + "/", found); }
        some = await entriesOf(reader);
      }
    }
  }

  function size(bytes) { return bytes < 1048576 ? Math.max(1, Math.round(bytes / 1024)) + " KiB" : (bytes / 1048576).toFixed(1) + " MiB"; }
  function tell(text) { $("[data-upload-answer]").empty().append(text ? $("<div class='alert alert-danger mt-3 mb-0'>").text(text) : ""); }
  async function take(found) {
    tell("");
    chosen = null;
    try {
      var entries = await kept(found), total = entries.reduce(function (sum, one) { return sum + one.file.size; }, 0);
      chosen = { entries: entries };
      $("[data-upload-chosen]").text(words.count("{count} file, {size}", "{count} files, {size}", entries.length, { size: size(total) }));
    } catch (error) { tell(error.message); }
  }
  function takeFile(file) {
    tell("");
    chosen = /\.(tar\.gz|tgz)$/i.test(file.name) ? { archive: file } : null;
    if (!chosen) { tell(words("“{name}” is no .tar.gz. Drop the folder itself, or a .tar.gz of it.", { name: file.name })); return; }
    $("[data-upload-chosen]").text(file.name + " · " + size(file.size));
  }

  function progress(text, fraction) {
    $("[data-upload-progress]").prop("hidden", !text);
    $("[data-upload-words]").text(text);
    $("[data-upload-number]").text(fraction === null ? "" : Math.round(100 * fraction) + " %");
    var bar = $("[data-upload-progress] progress");
    if (fraction === null) { bar.removeAttr("value"); } else { bar.attr("value", fraction); }
  }
  function sending(isOn) {
    isSending = isOn;
    $("[data-upload-button]").attr("aria-disabled", isOn ? "true" : null);
    if (!isOn) { progress("", null); }
  }
  function send(form, archive) {
    var request = new XMLHttpRequest(), body = new FormData();
    body.append("organisation", $(form).find("[name=organisation]").val());
    body.append("archive", archive, "folder.tar.gz");
    request.open("POST", form.action);
    request.setRequestHeader("Accept", "application/json");
    request.setRequestHeader("X-CSRFToken", window.ovd.csrf());
    request.responseType = "json";
    request.upload.onprogress = function (event) { progress(words("Sending {size}", { size: size(event.total) }), event.loaded / event.total); };
    request.upload.onload = function () { progress(words("Looking at it"), null); };
    request.onload = function () {
      if (request.status === 200 && request.response) { window.location.assign(request.response.location); return; }
      sending(false);
      tell(window.ovd.problem({ status: request.status, responseJSON: request.response }));
    };
    request.onerror = function () { sending(false); tell(words("The connection broke, so nothing was published. Try it again.")); };
    request.send(body);
  }

  $(document).on("click", "[data-upload-folder]", function () { $("#folder").trigger("click"); });
  $(document).on("click", "[data-upload-file]", function () { $("#archive").trigger("click"); });
  $(document).on("change", "#folder", function () {
    take(Array.from(this.files).map(function (file) { return { path: file.webkitRelativePath || file.name, file: file }; }));
  });
  $(document).on("change", "#archive", function () { if (this.files[0]) { takeFile(this.files[0]); } });
  $(document).on("dragover", "[data-upload-drop]", function (event) { event.preventDefault(); $(this).addClass("is-over"); });
  $(document).on("dragleave drop", "[data-upload-drop]", function () { $(this).removeClass("is-over"); });
  $(document).on("drop", "[data-upload-drop]", async function (event) {
    event.preventDefault();
    var items = Array.from(event.originalEvent.dataTransfer.items || []);
    var entries = items.map(function (item) { return item.webkitGetAsEntry(); }).filter(Boolean);
    if (entries.length === 1 && entries[0].isFile) { takeFile(event.originalEvent.dataTransfer.files[0]); return; }
    var found = [];
    for (var entry of entries) { await walk(entry, "", found); }
    take(found);
  });
  $(document).on("submit", "[data-upload]", async function (event) {
    event.preventDefault();
    if (isSending) { return; }
    if (!chosen) { tell(words("Choose a folder first, or a .tar.gz of one.")); return; }
    sending(true);
    try {
      if (!chosen.archive) { progress(words("Packing"), null); }
      send(this, chosen.archive || await pack(chosen.entries));
    } catch (error) {
      sending(false);
      tell(words("The folder could not be read: {why}", { why: error.message }));
    }
  });

  /* By adoption, the name is that of the other one until somebody writes another. */
  var isOwn = false;
  $(document).on("input", "#name", function () { isOwn = this.value !== ""; });
  function follow() { var name = $("[data-names]:checked").data("names"); if (name && !isOwn) { $("#name").val(name); } }
  $(document).on("change", "[data-names]", follow);
  $(follow);
})(jQuery);
