-- Measures the engine against this machine's own peak.
--
--   daub bench                       everything
--   daub bench dcgan64.step          one benchmark, or all whose names begin so
--   daub bench --profile dcgan64     where the time of a step goes
local cli = require "daub.cli"
local dcgan64 = require "daub.bench.dcgan64"
local layers = require "daub.bench.layers"
local measure = require "daub.bench.measure"
local profile = require "daub.bench.profile"
local progress = require "daub.progress"
local pytorch = require "daub.bench.pytorch"
local system = require "daub.core.system"

local o = cli.parse(arg, {
  name = "bench",
  summary = "measured speed of the engine, against the machine's own measured peak",
  usage = "[NAME]",
  positional = { { "name", required = false, help = "a benchmark, or how its name begins" } },
  options = {
    { "repeats", type = "integer", value = "N", default = 9, min = 1, help = "timed runs of each" },
    { "list", type = "flag", help = "prints the names and stops" },
    { "profile", type = "flag", help = "adds where the time goes, by function of the core" },
    { "no-pytorch", type = "flag", help = "leaves out the same step in PyTorch" },
  },
  notes = [[
A convolution's name is its direction, kernel and stride, the larger picture's size, and the
channels of the larger and the smaller one; the batch is 64. GFLOP/s are direct-convolution
operations over the best time; the peak is that of multiply-adds in registers, in the same run.
On a machine that does something else as well, all figures are low.]],
})
local report = cli.reporter(o)

-- 1. What is measured.
local entries = layers.list()
entries[#entries + 1] = dcgan64.entry()
local chosen = {}
for _, entry in ipairs(entries) do
  if not o.name or entry.name:sub(1, #o.name) == o.name then chosen[#chosen + 1] = entry end
end
if #chosen == 0 then
  cli.fail(("bench: no benchmark begins with '%s' (daub bench --list shows all)"):format(o.name))
end
if o.list then
  for _, entry in ipairs(chosen) do io.stdout:write(entry.name, "\n") end
  return
end

-- 2. The machine.
local info = system.info()
local peak, bandwidth = measure.peak(60), measure.bandwidth()
report:say(("%s, %d threads, %s (%s); peak %.0f GFLOP/s, copying %.1f GB/s"):format(info.isa,
  info.threads, info.blas, info.blas_core, peak / 1e9, bandwidth / 1e9))
if os.getenv("OPENBLAS_CORETYPE") then
  report:note("OPENBLAS_CORETYPE is set: products outside convolution may be slow (unset it)")
end
report:event { name = "copy", bytes_per_second = bandwidth, threads = info.threads }
report:say("")
report:say(("%-36s %10s %10s %9s %7s"):format("", "best", "median", "GFLOP/s", "peak"))

local function show(entry, times, label)
  peak = math.max(peak, measure.peak(10))
  local rate = entry.flops / times.best
  report:say(("%-36s %7.2f ms %7.2f ms %9.0f %6.2fx"):format(label or entry.name, times.best * 1e3,
    times.median * 1e3, rate / 1e9, rate / peak))
  report:event { name = label or entry.name, seconds = times.best, median_seconds = times.median,
    gflops = rate / 1e9, peak_gflops = peak / 1e9, share_of_peak = rate / peak,
    cpu_seconds = times.cpu, threads = info.threads, isa = info.isa, precision = "f32" }
end

-- 3. PyTorch's step runs between two halves of ours, so that both meet the same neighbours.
local function beside_pytorch(entry, times)
  local theirs, message = pytorch.run(math.max(3, math.floor(o.repeats / 2)))
  if not theirs then
    report:note("PyTorch's step is left out: " .. message)
    return show(entry, times)
  end
  local samples = measure.run(entry.run, o.repeats).samples
  for _, s in ipairs(times.samples) do samples[#samples + 1] = s end
  local ours = measure.times(samples)
  ours.cpu = times.cpu
  show(entry, ours)
  for _, layout in ipairs { "default", "channels_last" } do
    local t = theirs.times[layout]
    show(entry, t, ("pytorch.%s.dcgan64.step"):format(layout))
    report:say(("    daub takes %.2f of PyTorch %s's time (best), %.2f (median)"):format(
      ours.best / t.best, theirs.version, ours.median / t.median))
  end
end

-- 4. One after the other.
for i, entry in ipairs(chosen) do
  report:progress(entry.name, (i - 1) / #chosen)
  if entry.prepare then entry.prepare() end
  local times = measure.run(entry.run, o.repeats, entry.between)
  if entry.name == "dcgan64.step" and not o.no_pytorch then beside_pytorch(entry, times)
  else show(entry, times) end
  if o.profile then
    for _, row in ipairs(profile.run(entry.run)) do
      report:say(("    %-32s %7.2f ms %5d calls"):format(row.name, row.seconds * 1e3, row.calls))
    end
  end
  if entry.finish then entry.finish() end
end
report:progress(("%d measured"):format(#chosen), 1)
report:done()
local memory = system.memory()
report:say(("\npeak of the run: %.0f GFLOP/s (best burst)"):format(peak / 1e9))
report:say(("peak memory: %s of arrays, %s in all"):format(progress.bytes(memory.peak),
  progress.bytes(memory.peak_rss)))
report:event { name = "memory", peak_bytes = memory.peak, peak_rss_bytes = memory.peak_rss }
