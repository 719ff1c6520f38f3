/* Feed: sends files of samples, pictures, or what was pasted; says of each how far it is and what became of it. */
(function ($) {
  "use strict";
  var TYPES = { jsonl: "application/x-ndjson", ndjson: "application/x-ndjson", json: "application/json", csv: "text/csv",
    parquet: "application/vnd.apache.parquet" };
  var SHOWN = 50; // errors
  var PREVIEW = 5; // rows of what was pasted
  var words = window.ovd.words;
  var waiting = [], sending = null, kept = "ovd-feed:" + window.location.pathname;

  function form() { return $("[data-feed]"); }
  function extension(name) { return name.split(".").pop().toLowerCase(); }
  function isPicture(file) { return Boolean(form().data("picture")) && /^image\//.test(file.type); }
  function size(bytes) {
    var units = ["B", "KiB", "MiB", "GiB"], at = 0;
    while (bytes >= 1024 && at < 3) { bytes /= 1024; at += 1; }
    return bytes.toLocaleString(words.language, { maximumFractionDigits: at && bytes < 10 ? 1 : 0 }) + " " + words(units[at]);
  }

  /* What is to be sent: each file is a batch of its own, all pictures together are one. */
  function choose(files) {
    var all = Array.from(files), pictures = all.filter(isPicture);
    waiting = all.filter(function (file) { return !isPicture(file); }).map(function (file) {
      return { name: file.name, size: file.size, body: file, type: TYPES[extension(file.name)] };
    });
    if (pictures.length) { waiting.push(ofPictures(pictures)); }
    waiting.filter(function (one) { return !one.type; }).forEach(function (one) {
      tell(one, "danger", words("“{name}” is neither .jsonl, .csv nor .parquet, so its samples cannot be read. Choose another file.", { name: one.name }));
    });
    waiting = waiting.filter(function (one) { return one.type; });
    show();
  }
  function ofPictures(pictures) {
    return { name: words.count("{count} picture", "{count} pictures", pictures.length), pictures: pictures, type: "form",
      size: pictures.reduce(function (sum, file) { return sum + file.size; }, 0) };
  }
  function show() {
    var bytes = waiting.reduce(function (sum, one) { return sum + one.size; }, 0);
    var pictures = waiting.some(function (one) { return one.pictures; });
    var names = waiting.length === 1 ? waiting[0].name : words.count("{count} file", "{count} files", waiting.length);
    $("[data-feed-chosen]").text(waiting.length ? names + " · " + size(bytes) : form().data("accepts"));
    $("[data-feed-label]").prop("hidden", !pictures);
    $("[data-feed-button]").prop("disabled", !waiting.length || Boolean(sending));
  }
  /* The label that all pictures of a delivery get; in the form of a field of the schema. */
  function formOf(one) {
    var label = $("[data-feed-label] select, [data-feed-label] input").val(), body = new FormData(), used = {};
    var samples = one.pictures.map(function (file, at) {
      var name = used[file.name] ? at + "-" + file.name : file.name, sample = {};
      used[name] = true;
      sample[form().data("picture")] = name;
      if (label) { sample[form().data("label")] = value(label); }
      return { line: JSON.stringify(sample), file: file, name: name };
    });
    body.append("samples", new Blob([samples.map(function (each) { return each.line; }).join("\n") + "\n"], { type: "application/x-ndjson" }), "samples.jsonl");
    samples.forEach(function (each) { body.append("file", each.file, each.name); });
    return body;
  }
  function value(text) { try { return JSON.parse(text); } catch (error) { return text; } }

  /* One line for each delivery, the newest first. */
  function row(one) {
    if (!one.$row) { one.$row = $("<div class='ovd-feed-row'>").prependTo("[data-feed-answer]"); }
    return one.$row.empty();
  }
  function tell(one, tone, text) {
    var $box = $("<div class='alert mb-0'>").addClass("alert-" + tone).append($("<div>").text(text)).appendTo(row(one));
    if (one.retry) {
      $("<button class='btn btn-sm mt-2' type='button'>").text(words("Send it again")).on("click", function () { waiting.unshift(one); show(); next(); })
        .appendTo($box.find("div").first());
    }
    return $box;
  }
  function progress(one, sent) {
    if (!one.$bar) {
      var $row = row(one);
      $("<div class='ovd-progress-line'>").append($("<strong>").text(one.name), $("<span class='ovd-number' data-feed-bytes>")).appendTo($row);
      one.$bar = $("<progress class='ovd-progress' max='1' value='0'>").attr("aria-label", words("Sending {name}", { name: one.name })).appendTo($row);
      $("<button class='btn btn-sm mt-2' type='button' data-feed-cancel>").text(words("Cancel")).appendTo($row);
    }
    var done = sent >= one.total;
    if (done) { one.$bar.removeAttr("value"); } else { one.$bar.attr("value", sent / one.total); }
    one.$row.find("[data-feed-bytes]").text(done ? words("Checking…") : words("{sent} of {size}", { sent: size(sent), size: size(one.total) }));
  }
  function taken(one, batch, isNew) {
    var address = form().data("batches") + batch.number + "/";
    var said = isNew ? words.count("Batch {number} with {count} sample is in.", "Batch {number} with {count} samples is in.", batch.samples, { number: String(batch.number) })
      : words("Batch {number} has exactly these samples already: nothing was stored twice.", { number: String(batch.number) });
    link(one, address, said);
    remember({ name: one.name, address: address, said: said });
  }
  function link(one, address, said) {
    tell(one, "success", "").find("div").first().append($("<strong class='d-block'>").text(one.name), $("<a class='alert-link'>").attr("href", address).text(said));
  }
  function refused(one, body, answer) {
    var errors = body.errors || [];
    var $box = tell(one, "danger", body.detail || window.ovd.problem(answer));
    $box.find("div").first().prepend($("<strong class='d-block'>").text(one.name)).append($("<strong class='d-block'>").text(words("Nothing was stored.")));
    if (!errors.length) { return; }
    var $rows = $("<tbody>");
    errors.slice(0, SHOWN).forEach(function (each) {
      var where = /^(line|row|sample) (\d+)(?::\s*(.*))?$/.exec(each.field || "");
      $("<tr>").append($("<td class='ovd-number'>").text(where ? where[2] : ""), $("<td>").append($("<code>").text(where ? where[3] || "" : each.field || "")), $("<td>").text(each.message)).appendTo($rows);
    });
    var $head = $("<tr>").append([words("Line"), words("Field"), words("What is wrong")].map(function (text) { return $("<th scope='col'>").text(text); }));
    $("<div class='kind-table mt-3' tabindex='0' role='region'>").attr("aria-label", words("What is wrong")).append(
      $("<table class='table table-sm ovd-errors'>").append($("<thead>").append($head), $rows)
    ).appendTo(one.$row);
    if (errors.length > SHOWN) {
      $("<p class='text-secondary mt-2 mb-0'>").text(words("The first {count}; correct these and send it again to see the rest.", { count: SHOWN })).appendTo(one.$row);
    }
  }

  function next() {
    if (sending || !waiting.length) { show(); return; }
    sending = waiting.shift();
    sending.retry = false;
    sending.$bar = null;
    sending.total = sending.size;
    show();
    send(sending);
  }
  function done() { sending = null; next(); window.ovd.live.refreshAll(); }
  function send(one) {
    var request = new XMLHttpRequest();
    one.request = request;
    request.open("POST", form().data("api"));
    if (!one.pictures) { request.setRequestHeader("Content-Type", one.type); }
    request.setRequestHeader("Accept", "application/json");
    request.setRequestHeader("X-CSRFToken", window.ovd.csrf());
    request.upload.onprogress = function (event) { one.total = event.total || one.total; progress(one, event.loaded); };
    request.onload = function () {
      var body = {};
      try { body = JSON.parse(request.responseText); } catch (error) { /* said by its status below */ }
      if (request.status === 200 || request.status === 201) { taken(one, body, request.status === 201); } else { refused(one, body, request); }
      done();
    };
    request.onerror = function () {
      one.retry = true;
      tell(one, "danger", words("{name}: the connection broke, so nothing was stored. The same samples are never stored twice.", { name: one.name }));
      done();
    };
    request.onabort = function () {
      one.retry = true;
      tell(one, "warning", words("{name} was cancelled. Had it arrived completely, it is among the batches.", { name: one.name }));
      done();
    };
    progress(one, 0);
    request.send(one.pictures ? formOf(one) : one.body);
  }

  /* What was sent from this tab stays told when the page is loaded anew. */
  function remembered() { try { return JSON.parse(window.sessionStorage.getItem(kept)) || []; } catch (error) { return []; } }
  function remember(said) {
    try { window.sessionStorage.setItem(kept, JSON.stringify([said].concat(remembered()).slice(0, 5))); } catch (error) { /* only told now */ }
  }
  $(function () {
    if (!form().length) { return; }
    remembered().reverse().forEach(function (said) { link({ name: said.name }, said.address, said.said); });
    show();
  });
  window.addEventListener("beforeunload", function (event) { if (sending) { event.preventDefault(); } });

  $(document).on("change", "#feed-file", function () { choose(this.files); });
  $(document).on("dragover", "[data-feed-drop]", function (event) { event.preventDefault(); $(this).addClass("is-over"); });
  $(document).on("dragleave drop", "[data-feed-drop]", function () { $(this).removeClass("is-over"); });
  $(document).on("drop", "[data-feed-drop]", function (event) {
    event.preventDefault();
    if (event.originalEvent.dataTransfer.files.length) { choose(event.originalEvent.dataTransfer.files); }
  });
  $(document).on("click", "[data-feed-cancel]", function () { if (sending) { sending.request.abort(); } });
  $(document).on("submit", "[data-feed]", function (event) {
    event.preventDefault();
    if (sending || !waiting.length) { return; }
    $("[data-feed-answer]").empty();
    $("#feed-file").val("");
    next();
  });

  /* Pasted from a spreadsheet: cells apart by tabs, commas or semicolons, with a head line. */
  function kinds() { return form().data("fields") || {}; }
  function cells(text) {
    var lines = text.replace(/\r/g, "").split("\n").filter(function (one) { return one.trim(); });
    var mark = ["\t", ";", ","].filter(function (one) { return lines[0] && lines[0].indexOf(one) >= 0; })[0] || "\t";
    return lines.map(function (one) { return one.split(mark).map(function (cell) { return cell.trim().replace(/^"(.*)"$/, "$1").replace(/""/g, "\""); }); })
      .map(function (cellsOf) { return { cells: cellsOf, isComma: mark === "," }; });
  }
  function named(head) {
    var fields = kinds(), wanted = head.toLowerCase();
    return Object.keys(fields).filter(function (name) { return name.toLowerCase() === wanted || String(fields[name].label).toLowerCase() === wanted; })[0] || head;
  }
  function pasted() {
    var lines = cells($("[data-paste]").val()), fields = kinds();
    if (lines.length < 2) { return null; }
    var heads = lines[0].cells.map(named);
    var rows = lines.slice(1).map(function (line) {
      return line.cells.map(function (cell, at) {
        var kind = (fields[heads[at]] || {}).kind; // spreadsheets of many countries write 12,5
        return !line.isComma && (kind === "number" || kind === "integer") && /^-?[\d\s.]*,\d+$/.test(cell) ? cell.replace(/[\s.]/g, "").replace(",", ".") : cell;
      });
    });
    return { heads: heads, rows: rows, unknown: heads.filter(function (head) { return Object.keys(fields).length && !fields[head]; }) };
  }
  function csv(table) {
    return [table.heads].concat(table.rows).map(function (row_) {
      return row_.map(function (cell) { return /[",\n]/.test(cell) ? "\"" + cell.replace(/"/g, "\"\"") + "\"" : cell; }).join(",");
    }).join("\n") + "\n";
  }
  $(document).on("input", "[data-paste]", function () {
    var table = pasted(), $preview = $("[data-paste-preview]").empty();
    $("[data-paste-button]").prop("disabled", !table);
    if (!table) { $("[data-paste-words]").text(this.value.trim() ? words("A head line with the names of the fields, and at least one line below it.") : ""); return; }
    $("[data-paste-words]").text(words.count("{count} sample.", "{count} samples.", table.rows.length) + (table.unknown.length
      ? " " + words("Not a field of a sample: {names}.", { names: table.unknown.join(", ") }) : ""));
    var $head = $("<tr>").append(table.heads.map(function (head) { return $("<th scope='col'>").text(head); }));
    $("<table class='table table-sm'>").append($("<thead>").append($head), $("<tbody>").append(table.rows.slice(0, PREVIEW).map(function (row_) {
      return $("<tr>").append(row_.map(function (cell) { return $("<td>").text(cell); }));
    }))).appendTo($preview);
  });
  $(document).on("click", "[data-paste-button]", function () {
    var table = pasted(), text = table && csv(table);
    if (!text || sending) { return; }
    $("[data-feed-answer]").empty();
    waiting = [{ name: words("What was pasted"), body: new Blob([text], { type: "text/csv" }), size: text.length, type: "text/csv" }];
    next();
  });
})(jQuery);
