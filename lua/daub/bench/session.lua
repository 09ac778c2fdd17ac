-- One sitting of measuring: the machine's peaks, and rows that are shown as shares of them.
--
--     local session = Session.new(report, { repeats = 9 })
--     session:run(entry)                      -- measures it and shows its row
--
-- A benchmark (an entry) is a table:
---@class daub.bench.Entry
---@field name string
---@field flops number? floating-point operations of one run: it is shown as a share of the peak
---@field bytes number? bytes one run reads and writes: shown as a share of the copying rate
---@field batch integer? pictures at once
---@field pictures integer? pictures one run makes: shown a second
---@field seconds number? how long to repeat it; half a second unless given
---@field prepare fun()? before everything; may set flops
---@field run fun()
---@field between fun()? called before each run, not timed: frees the last one's results
---@field finish fun()? lets go of what prepare made
---@field measure fun(session: daub.bench.Session)? in place of all the above: shows its own rows
local daub = require "daub"
local measure = require "daub.bench.measure"
local progress = require "daub.progress"
local system = require "daub.core.system"

---@class daub.bench.Session
---@field report daub.progress.Reporter
---@field repeats integer? timed runs of each, as asked for
---@field info daub.core.Info
---@field peak number floating-point operations a second, the best burst so far
---@field copying number bytes a second, the best so far
---@field headed boolean? columns have got their names
local Session = {}
Session.__index = Session

-- How many programs wanted to run, on average over the last minute; nil where nobody tells.
local function load()
  local file = io.open("/proc/loadavg")
  local text = file and file:read("*a") or ""
  if file then file:close() end
  return tonumber(text:match("^%S+"))
end

---Measures the machine and shows what it can do.
---@param report daub.progress.Reporter
---@param repeats integer?
---@return daub.bench.Session
function Session.new(report, repeats)
  local busy = load()
  local self = setmetatable({ report = report, repeats = repeats, info = system.info(),
    peak = measure.peak(100), copying = measure.bandwidth(10) }, Session)
  local info = self.info
  report:say(("%s, %s, %s (%s); peak %.0f GFLOP/s, copying %.1f GB/s; load before %s")
    :format(info.isa, progress.count(info.threads, "thread"), info.blas, info.blas_core,
      self.peak / 1e9, self.copying / 1e9, busy or "unknown"))
  if os.getenv("OPENBLAS_CORETYPE") then
    report:note("OPENBLAS_CORETYPE is set: products outside convolution may be slow (unset it)")
  end
  self:event { name = "peak", peak_gflops = self.peak / 1e9, load_before = busy }
  self:event { name = "copy", bytes_per_second = self.copying }
  collectgarbage()
  system.trim() -- the process is small again: its peak shall be that of what is measured
  return self
end

---A JSON line that says under what it was measured.
---@param values table
function Session:event(values)
  values.threads, values.isa, values.exact = self.info.threads, self.info.isa, daub.exact()
  self.report:event(values)
end

local function milliseconds(seconds) return ("%.3f ms"):format(seconds * 1e3) end

---Shows one measured row. The peaks are measured again first: a share is not flattered by
---neighbours that left the machine in between.
---@param row table name, times (daub.bench.Times); flops, bytes, pictures, batch, precision as an
--- entry has them; more: further values for the JSON line; words: further words
function Session:row(row)
  if not self.headed then
    self.report:say(("\n%-38s %11s %11s %14s %6s"):format("", "best", "median", "rate", "share"))
    self.headed = true
  end
  local times = row.times
  local values = { name = row.name, seconds = times.best, median_seconds = times.median,
    cpu_seconds = times.cpu, batch = row.batch,
    precision = row.precision or (row.flops and daub.precision() or "f32") }
  local rate, share, words = "", "", row.words or ""
  if row.flops then
    self.peak = math.max(self.peak, measure.peak(10))
    values.gflops, values.peak_gflops = row.flops / times.best / 1e9, self.peak / 1e9
    values.share_of_peak = values.gflops / values.peak_gflops
    rate, share = ("%.1f GFLOP/s"):format(values.gflops), ("%.2fx"):format(values.share_of_peak)
  elseif row.bytes then
    self.copying = math.max(self.copying, measure.bandwidth(2))
    values.bytes_per_second, values.copy_bytes_per_second = row.bytes / times.best, self.copying
    values.share_of_copy = values.bytes_per_second / self.copying
    rate = ("%.1f GB/s"):format(values.bytes_per_second / 1e9)
    share = ("%.2fc"):format(values.share_of_copy)
  end
  if row.pictures then
    values.images_per_second = row.pictures / times.best
    words = ("%s  %.4g pictures/s"):format(words, values.images_per_second)
  end
  for key, value in pairs(row.more or {}) do values[key] = value end
  self.report:say(("%-38s %11s %11s %14s %6s%s"):format(row.name, milliseconds(times.best),
    milliseconds(times.median), rate, share, words))
  self:event(values)
end

---Shows what a piece of work spends its time on.
---@param name string
---@param p daub.bench.Profile
function Session:shares(name, p)
  local function percent(seconds) return 100 * seconds / p.seconds end
  self.report:say(("%-38s %11s  products %.1f %%, other core %.1f %%, Lua and autograd %.1f %%")
    :format(name, milliseconds(p.seconds), percent(p.convolution), percent(p.core),
      percent(p.lua)))
  self:event { name = name, seconds = p.seconds, products_share = p.convolution / p.seconds,
    core_share = p.core / p.seconds, lua_share = p.lua / p.seconds }
end

---Times f as an entry would be.
---@param f fun()
---@param o {seconds: number?, between: fun()?}
---@return daub.bench.Times
function Session:time(f, o)
  return measure.run(f, { repeats = self.repeats, seconds = o.seconds or 0.5,
    between = o.between })
end

---Measures an entry and shows it; calls `after`, if given, before it is let go.
---@param entry daub.bench.Entry
---@param after fun()?
function Session:run(entry, after)
  if entry.measure then return entry.measure(self) end
  if entry.prepare then entry.prepare() end
  local times = self:time(entry.run, entry)
  self:row { name = entry.name, times = times, flops = entry.flops, bytes = entry.bytes,
    pictures = entry.pictures, batch = entry.batch }
  if after then after() end
  if entry.finish then entry.finish() end
  collectgarbage()
  system.trim()
end

return Session
