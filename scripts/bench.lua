-- Measures the engine against this machine's own peak.
--
--   daub bench                       everything
--   daub bench dcgan64.step          one benchmark, or all whose names begin so
--   daub bench --profile dcgan64     where the time of a step goes
--   daub bench pytorch               the same steps in PyTorch, by turns with ours
--   daub bench --exact conv          convolutions computed directly
--   daub bench --growth              how the cost of a picture grows
--   daub bench --choice              which convolutions Winograd's filtering pays for
local cli = require "daub.cli"
local o = cli.parse(arg, {
  name = "bench",
  summary = "measured speed of the engine, against the machine's own measured peak",
  usage = "[NAME]",
  positional = { { "name", required = false, help = "a benchmark, or how its name begins" } },
  options = {
    { "repeats", type = "integer", value = "N", min = 1,
      help = "timed runs of each (default: as many as fit into its share of time)" },
    { "list", type = "flag", help = "prints the names and stops" },
    { "profile", type = "flag", help = "adds where the time goes, by function of the core" },
    { "no-pytorch", type = "flag", help = "leaves out the same steps in PyTorch" },
    { "exact", type = "flag", help = "convolutions are computed directly, not by filtering" },
    { "precision", type = "choice", choices = { "f32", "bf16" }, default = "f32",
      value = "NAME", help = "of the products in convolutions" },
    { "growth", type = "flag",
      help = "instead: the cost of a picture over batches, sizes and threads" },
    { "choice", type = "flag",
      help = "instead: what the choice between direct convolution and filtering should go by" },
  },
  notes = [[
Names: kernel.* (work bound by memory), conv.* (the convolutions of the bundled networks), whole
training steps, mlp.* (small tensors), paint.*, data.*, collect.* (needs nginx and curl), memory.*,
pytorch.* (needs PyTorch).
A convolution's name is its direction, kernel and stride, the larger picture's size, and the
channels of the larger and the smaller one. GFLOP/s are direct-convolution operations over the best
time, their share (x) is of the peak of multiply-adds in registers; GB/s are bytes read and written,
their share (c) is of the copying rate: both measured in the same run.
On a machine that does something else as well, all figures are low.]],
})
local Session = require "daub.bench.session"
local benchmarks = require "daub.bench"
local choice = require "daub.bench.choice"
local daub = require "daub"
local growth = require "daub.bench.growth"
local profile = require "daub.bench.profile"
local progress = require "daub.progress"
local system = require "daub.core.system"
local report = cli.reporter(o)
if o.precision == "bf16" and not daub.info().bf16 then
  cli.fail("bench: --precision bf16: no bf16 products here, they need AVX-512-BF16 (leave it out)")
end
daub.exact(o.exact or false)
daub.precision(o.precision)

for name, instead in pairs { growth = growth, choice = choice } do
  if o[name] then
    if o.name then cli.exit(2, ("bench: --%s takes no NAME"):format(name)) end
    instead.run(Session.new(report, o.repeats))
    report:done()
    return
  end
end

-- 1. What is measured.
local chosen = {}
for _, entry in ipairs(benchmarks.list(o.name or "")) do
  if not (o.no_pytorch and entry.name:match("^pytorch%.")) then chosen[#chosen + 1] = entry end
end
if #chosen == 0 then
  cli.fail(("bench: no benchmark begins with '%s' (daub bench --list shows all)"):format(o.name))
end
if o.list then
  for _, entry in ipairs(chosen) do io.stdout:write(entry.name, "\n") end
  return
end

-- 2. One after the other.
local session = Session.new(report, o.repeats)
for i, entry in ipairs(chosen) do
  report:progress(entry.name, (i - 1) / #chosen)
  session:run(entry, o.profile and function()
    for _, row in ipairs(profile.run(entry.run).functions) do
      report:say(("    %-34s %8.3f ms %5d calls"):format(row.name, row.seconds * 1e3, row.calls))
    end
  end)
end
report:progress(("%d measured"):format(#chosen), 1)
report:done()

-- 3. What this process reached and took.
local memory = system.memory()
report:say(("\npeak of the run: %.0f GFLOP/s (best burst), copying %.1f GB/s"):format(
  session.peak / 1e9, session.copying / 1e9))
report:say(("peak memory of the run: %s of arrays, %s in all"):format(progress.bytes(memory.peak),
  progress.bytes(memory.peak_rss)))
session:event { name = "memory", peak_bytes = memory.peak, peak_rss_bytes = memory.peak_rss }
