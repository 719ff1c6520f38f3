/* Kinds: plots of series, pixel sizes of pictures; figures.js adds other figures. The drawing library, and the scripts
   of pictures, sounds and tables, are fetched only by pages that show some. */
(function ($) {
  "use strict";
  var source = document.currentScript, fetched = {};
  var words = window.ovd.words;

  /* A script of ours, fetched once. */
  function script(address) {
    fetched[address] = fetched[address] || new Promise(function (resolve, reject) {
      var tag = document.createElement("script");
      tag.src = address;
      tag.onload = resolve;
      tag.onerror = function () { delete fetched[address]; reject(); };
      document.head.appendChild(tag);
    });
    return fetched[address];
  }
  function library() { return script(source.dataset.echarts).then(function () { return window.echarts; }); }
  function isDark() { return document.documentElement.getAttribute("data-bs-theme") === "dark"; }
  function palette() {
    return isDark()
      ? { text: "#c3cad6", quiet: "#8f9bae", grid: "#313a49", history: "#8f9bae", lines: ["#9fb0ff", "#5fd0a5", "#fbb08a", "#dfb0f5"],
        band: "rgba(159,176,255,.22)", mark: "#ff8f8f", span: "rgba(255,120,120,.16)", back: "#1d2530", good: "#5fd0a5", ink: "#10151f" }
      : { text: "#39424f", quiet: "#5a6472", grid: "#e3e7ed", history: "#7b8798", lines: ["#4352c7", "#0f8a5f", "#b4541a", "#8a3fb0"],
        band: "rgba(67,82,199,.17)", mark: "#c62f2f", span: "rgba(198,47,47,.10)", back: "#ffffff", good: "#0f8a5f", ink: "#ffffff" };
  }
  function short(value) {
    if (value === null || value === undefined || isNaN(value)) { return "–"; }
    return Number(value).toLocaleString(window.ovd.words.language, { maximumSignificantDigits: 6 });
  }

  var TIMES = { year: "{yyyy}", month: "{d} {MMM}", day: "{d} {MMM}", hour: "{HH}:{mm}", minute: "{HH}:{mm}", second: "{HH}:{mm}:{ss}" };

  function series(picture, colours) {
    var all = [], index = 0;
    if (picture.interval) {
      var lower = picture.interval.lower;
      all.push({ name: "lower", type: "line", stack: "interval", stackStrategy: "all", data: lower, symbol: "none",
        lineStyle: { opacity: 0 }, silent: true, tooltip: { show: false } });
      all.push({ name: picture.interval.name, type: "line", stack: "interval", stackStrategy: "all", symbol: "none",
        data: picture.interval.upper.map(function (point, at) {
          return [point[0], point[1] === null || !lower[at] || lower[at][1] === null ? null : point[1] - lower[at][1]];
        }),
        lineStyle: { opacity: 0 }, areaStyle: { color: colours.band, opacity: 1 }, itemStyle: { color: colours.band }, silent: true });
    }
    picture.lines.forEach(function (line) {
      var colour = line.role === "history" ? colours.history : colours.lines[index++ % colours.lines.length];
      all.push({ name: line.name, type: "line", data: line.points, showSymbol: line.points.length < 3, symbolSize: 6,
        lineStyle: { width: line.role === "history" ? 1.5 : 2.25, color: colour }, itemStyle: { color: colour }, z: 3 });
    });
    if (picture.marks) {
      all.push({ name: picture.marks.name, type: "scatter", data: picture.marks.points, symbolSize: 7,
        itemStyle: { color: colours.mark }, z: 4 });
    }
    if (picture.spans && picture.spans.length && all.length) {
      all[all.length - 1].markArea = { silent: true, itemStyle: { color: colours.span },
        data: picture.spans.map(function (span) { return [{ xAxis: span[0] }, { xAxis: span[1] }]; }) };
    }
    return all;
  }
  function tip(picture) {
    return function (points) {
      var when = points[0].axisValue;
      var head = picture.timed ? new Date(when).toLocaleString(window.ovd.words.language, { dateStyle: "medium", timeStyle: "short" }) : words("Value {number}", { number: when });
      var interval = points.filter(function (point) { return point.seriesName === "lower"; })[0];
      return [head].concat(points.filter(function (point) {
        return point.seriesName !== "lower" && point.value[1] !== null && point.value[1] !== undefined;
      }).map(function (point) {
        var said = short(point.value[1]);
        if (picture.interval && point.seriesName === picture.interval.name && interval) {
          said = words("{low} to {high}", { low: short(interval.value[1]), high: short(interval.value[1] + point.value[1]) });
        }
        return point.seriesName + ": " + said + (picture.unit ? " " + picture.unit : "");
      })).join("\n");
    };
  }
  function options(picture, isSmall) {
    var colours = palette(), all = series(picture, colours);
    var names = all.map(function (one) { return one.name; }).filter(function (name) { return name !== "lower"; });
    var hasZoom = !isSmall && picture.lines.some(function (line) { return line.points.length > 60; });
    return {
      animation: false, textStyle: { color: colours.text, fontFamily: window.getComputedStyle(document.body).fontFamily },
      grid: { left: 8, right: 16, top: names.length > 1 && !isSmall ? 64 : 28, bottom: hasZoom ? 52 : 8, containLabel: true },
      legend: { show: names.length > 1 && !isSmall, top: 0, left: 0, data: names, textStyle: { color: colours.text }, type: "scroll",
        pageTextStyle: { color: colours.quiet } },
      tooltip: { trigger: "axis", renderMode: "richText", backgroundColor: colours.back, borderColor: colours.grid,
        textStyle: { color: colours.text, fontSize: 12 }, formatter: tip(picture), confine: true },
      xAxis: { type: picture.timed ? "time" : "value", min: "dataMin", max: "dataMax", splitLine: { show: false },
        axisLine: { lineStyle: { color: colours.grid } }, axisLabel: { color: colours.quiet, hideOverlap: true, formatter: picture.timed ? TIMES : undefined } },
      yAxis: { type: "value", scale: true, name: picture.unit, nameGap: 10, nameTextStyle: { color: colours.quiet, align: "center" },
        splitNumber: isSmall ? 2 : 5, axisLabel: { color: colours.quiet, formatter: short }, splitLine: { lineStyle: { color: colours.grid } } },
      dataZoom: hasZoom ? [{ type: "slider", height: 24, bottom: 12, borderColor: colours.grid, textStyle: { color: colours.quiet },
        showDataShadow: false }] : [],
      series: all
    };
  }
  function draw(box) {
    library().then(function (echarts) {
      var chart = echarts.getInstanceByDom(box) || echarts.init(box, null, { renderer: "canvas" });
      var picture = JSON.parse(box.dataset.chart), isSmall = box.classList.contains("kind-chart-small");
      var figure = picture.figure && window.ovd.figures[picture.figure];
      chart.setOption(figure ? figure(picture, palette(), box) : options(picture, isSmall), true);
      box.dataset.drawn = "1";
      if (!box.ovdWatched) {
        box.ovdWatched = new ResizeObserver(function () { if (box.isConnected) { chart.resize(); } else { chart.dispose(); } });
        box.ovdWatched.observe(box);
      }
    }).catch(function () { box.textContent = words("The plot could not be loaded; the values can be downloaded."); });
  }
  function size(picture) {
    if (picture.naturalWidth) {
      $(picture).toggleClass("is-tiny", Math.max(picture.naturalWidth, picture.naturalHeight) < 64);
      $(picture).closest("figure").find("[data-pixels]").text(picture.naturalWidth + " × " + picture.naturalHeight + " " + words("pixels") + " · ");
    }
  }
  function show(root) {
    $(root).find("[data-chart]").each(function () { draw(this); });
    $(root).find("[data-needs]").each(function () { script(this.dataset.needs); });
    $(root).find("img[data-picture]").each(function () {
      if (this.complete) { size(this); } else { this.addEventListener("load", function () { size(this); }); }
    });
  }
  document.addEventListener("ovd:theme", function () { $("[data-chart]").each(function () { draw(this); }); });
  $(document).on("ovd:swapped", function (event) { show(event.target); });
  $(function () { show(document); });
  window.ovd = window.ovd || {};
  window.ovd.kinds = { show: show, draw: draw, short: short, script: script, palette: palette };
})(jQuery);
