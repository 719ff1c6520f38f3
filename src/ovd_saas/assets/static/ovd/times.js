/* Times: every <time data-moment> says how long ago or how soon, with the exact local moment as its title. */
(function ($) {
  "use strict";
  var exact = new Intl.DateTimeFormat("en-GB", {
    day: "numeric", month: "short", year: "numeric", hour: "2-digit", minute: "2-digit", second: "2-digit",
    timeZoneName: "short"
  });
  var hour = new Intl.DateTimeFormat("en-GB", { hour: "2-digit", minute: "2-digit" });
  var day = new Intl.DateTimeFormat("en-GB", { day: "numeric", month: "short", hour: "2-digit", minute: "2-digit" });
  var STEPS = [[60, 1, "s"], [3600, 60, "min"], [86400, 3600, "h"], [86400 * 30, 86400, "day"],
    [86400 * 365, 86400 * 30, "month"], [Infinity, 86400 * 365, "year"]];

  function amount(seconds) {
    var step = STEPS.find(function (one) { return seconds < one[0]; });
    var count = Math.floor(seconds / step[1]);
    return count + " " + step[2] + (count !== 1 && /day|month|year/.test(step[2]) ? "s" : "");
  }
  function relative(moment, now, style) {
    var seconds = (now - moment) / 1000;
    if (Math.abs(seconds) < 1.5) { return "now"; }
    if (style === "next" && seconds > 0) { return "any moment now"; }
    return seconds > 0 ? amount(seconds) + " ago" : "in " + amount(-seconds);
  }
  function clock(moment, now) {
    return (moment.toDateString() === now.toDateString() ? hour : day).format(moment);
  }
  function say(root) {
    var now = new Date();
    $(root || document).find("time[data-moment]").each(function () {
      var moment = new Date(this.dateTime);
      var words = this.dataset.moment === "clock" ? clock(moment, now) : relative(moment, now, this.dataset.moment);
      if (this.textContent !== words) { this.textContent = words; }
      if (!this.dataset.told) { this.title = exact.format(moment); this.dataset.told = "1"; }
    });
  }
  window.ovd = window.ovd || {};
  window.ovd.times = say;
  $(function () { say(); });
  window.setInterval(function () { if (!document.hidden) { say(); } }, 5000);
})(jQuery);
