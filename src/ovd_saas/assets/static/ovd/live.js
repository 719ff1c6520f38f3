/* Live: one connection a tab tells what changed; the parts of the page that show it are fetched again and swapped. */
(function ($) {
  "use strict";
  var PAUSE = 1000; // ms between two refreshes of one part
  var CALM = 30000; // ms hidden before the connection is given up until somebody looks again
  var source = null, wasLost = false, held = false, hiding = null, retry = null;

  /* Which parts of the page a notice is about, in the words of data-live. */
  function subjects(notice) {
    var found = [notice.about];
    ["application", "execution", "release", "learning"].forEach(function (noun) {
      if (notice[noun] !== undefined) { found.push(noun + ":" + notice[noun]); }
    });
    if (notice.application !== undefined) { found.push("applications"); }
    return found;
  }
  function hear(notice) {
    if (notice.about === "reconnected") { refreshAll(); return; }
    var about = subjects(notice);
    $(document).trigger("ovd:notice", [about]); // for parts that are not swapped whole
    $("[data-fragment][data-live]").each(function () {
      var wanted = this.dataset.live.split(" ");
      if (about.some(function (subject) { return wanted.indexOf(subject) >= 0; })) { refresh(this); }
    });
  }

  function plain(html) { return html.replace(/name="csrfmiddlewaretoken" value="[^"]*"/g, ""); }
  function isBeingRead(part) {
    var selection = window.getSelection();
    var selected = selection && !selection.isCollapsed && part.contains(selection.anchorNode);
    var active = document.activeElement;
    var typing = active && part.contains(active) && /^(INPUT|TEXTAREA|SELECT)$/.test(active.tagName);
    return selected || typing || part.querySelector("dialog[open]");
  }
  function mark(element) { return element.id || element.dataset.key || element.getAttribute("href") || element.name; }

  /* A plot that was drawn stays and gets its new values: it is drawn over, not anew, and does not flicker. */
  function keep(old) {
    var fresh = old.id && document.getElementById(old.id);
    if (!fresh) { return; }
    Array.from(fresh.attributes).forEach(function (one) { if (one.name !== "style") { old.setAttribute(one.name, one.value); } });
    $(fresh).replaceWith(old);
  }

  /* Replaces the inside of a part; what was open stays open, what had the focus keeps it, scrolled boxes stay. */
  function swap(part, html) {
    if (plain(html) === part.ovdShown) { return; }
    if (isBeingRead(part)) { window.setTimeout(function () { swap(part, html); }, 1500); return; }
    var active = part.contains(document.activeElement) ? mark(document.activeElement) : null;
    var open = $(part).find("details[open]").map(function () { return this.id; }).get();
    var scrolled = $(part).find("[data-keep-scroll]").map(function () {
      var atEnd = this.scrollTop + this.clientHeight >= this.scrollHeight - 4;
      return { id: this.id, top: atEnd ? 1e9 : this.scrollTop };
    }).get();
    var kept = $(part).find("[data-keep]").detach().get();
    $(part).html(html);
    part.ovdShown = plain(html);
    kept.forEach(keep);
    open.forEach(function (id) { if (id) { $("#" + id).attr("open", ""); } });
    scrolled.forEach(function (box) { if (box.id) { $("#" + box.id).scrollTop(box.top); } });
    if (active) {
      $(part).find("a, button, summary, input").filter(function () { return mark(this) === active; }).first()
        .each(function () { this.focus({ preventScroll: true }); });
    }
    window.ovd.times(part);
    $(part).trigger("ovd:swapped");
  }

  function refresh(part) {
    if (part.ovdBusy) { part.ovdAgain = true; return; }
    if (document.hidden) { part.ovdStale = true; return; }
    part.ovdBusy = true;
    part.ovdAgain = false;
    $.ajax({ url: part.dataset.fragmentUrl || window.location.href, dataType: "html",
      headers: { "X-Fragment": part.dataset.fragment } })
      .done(function (html, status, answer) {
        if (/<html/i.test(html)) { window.location.reload(); return; } // signed out meanwhile
        swap(part, html);
      })
      .fail(function (answer) { if (answer.status === 404 || answer.status === 403) { part.ovdAgain = false; } })
      .always(function () {
        window.setTimeout(function () {
          part.ovdBusy = false;
          if (part.ovdAgain) { refresh(part); }
        }, PAUSE);
      });
  }
  function refreshAll() {
    $("[data-fragment]").each(function () { refresh(this); });
    $(document).trigger("ovd:refresh");
  }

  function tell(isLost) { $("[data-connection]").prop("hidden", !isLost); }
  function connect() {
    var url = document.body.dataset.eventsUrl;
    if (!url || source || held || document.hidden) { return; }
    source = new EventSource(url);
    source.onopen = function () {
      if (wasLost) { wasLost = false; tell(false); refreshAll(); }
      $(document.body).attr("data-live-state", "connected");
    };
    source.onmessage = function (event) { hear(JSON.parse(event.data)); };
    source.onerror = function () {
      wasLost = true;
      $(document.body).attr("data-live-state", "lost");
      if (source && source.readyState === EventSource.CLOSED) { // refused: EventSource gives up by itself
        disconnect();
        window.clearTimeout(retry);
        retry = window.setTimeout(connect, 5000);
      }
      window.setTimeout(function () { if (wasLost) { tell(true); } }, 3000);
    };
  }
  function disconnect() { if (source) { source.close(); source = null; } }

  document.addEventListener("visibilitychange", function () {
    window.clearTimeout(hiding);
    if (document.hidden) {
      hiding = window.setTimeout(function () { disconnect(); wasLost = true; }, CALM);
      return;
    }
    connect();
    $("[data-fragment]").each(function () { if (this.ovdStale) { this.ovdStale = false; refresh(this); } });
    window.ovd.times();
  });
  window.addEventListener("pagehide", disconnect);
  window.addEventListener("pageshow", function (event) { if (event.persisted) { refreshAll(); connect(); } });

  $(function () {
    $("[data-fragment]").each(function () { this.ovdShown = null; });
    connect();
  });
  /* Where notices do not tell every step, such as a line of a log, look every so often as long as it goes on. */
  window.setInterval(function () {
    $("[data-poll]").each(function () {
      if ($(this).find("[data-poll-end]").length) { this.removeAttribute("data-poll"); refreshAll(); return; }
      if (Date.now() - (this.ovdPolled || 0) < Number(this.dataset.poll)) { return; }
      this.ovdPolled = Date.now();
      $(this).find("[data-fragment]").each(function () { refresh(this); });
    });
  }, 1000);
  window.ovd.live = {
    refresh: refresh,
    refreshAll: refreshAll,
    /* An execution's own events are followed instead, so that a tab never holds two connections. */
    hold: function () { held = true; disconnect(); },
    release: function () { held = false; connect(); }
  };
})(jQuery);
