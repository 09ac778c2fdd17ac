-- daub bench: what it prints, on small work. No test asserts a time.
local F = require "daub.ops"
local json = require "daub.json"
local measure = require "daub.bench.measure"
local memory = require "daub.bench.memory"
local mlp = require "daub.bench.mlp"
local profile = require "daub.bench.profile"
local system = require "daub.core.system"
local tensor = require "daub.tensor"
local trace = require "daub.bench.trace"

local host = system.realpath("/proc/self/exe")

local function bench(arguments, environment)
  local pipe = assert(io.popen(("%s %s bench %s 2>/dev/null; echo exit $?"):format(
    environment or "", host, arguments)))
  local text = pipe:read("*a")
  pipe:close()
  local body, code = text:match("^(.*)exit (%d+)\n$")
  return body, tonumber(code)
end

-- The JSON lines by name.
local function rows(arguments, environment)
  local body, code = bench("--json --repeats 1 " .. arguments, environment)
  assert.equal(0, code)
  local seen = {}
  for line in body:gmatch("[^\n]+") do
    local values = assert(json.decode(line))
    seen[values.name] = values
  end
  return seen
end

describe("bench", function()
  it("prints a JSON line for each layer", function()
    local seen = rows("conv.fwd.4x4s1.4x4.512-1")
    local layer = seen["conv.fwd.4x4s1.4x4.512-100"]
    for _, key in ipairs { "seconds", "gflops", "peak_gflops", "share_of_peak", "threads" } do
      assert.is_true(layer[key] > 0, key)
    end
    assert.same({ "f32", false }, { layer.precision, layer.exact })
    assert.equal(system.info().isa, layer.isa)
    assert.is_not_nil(seen["conv.fwd.4x4s1.4x4.512-1"])
    assert.is_true(seen.memory.peak_bytes > 0)
    assert.is_true(seen.peak.peak_gflops > 0)
    assert.is_true(seen.copy.bytes_per_second > 0)
  end)

  it("prints shares of the copying rate for what memory bounds", function()
    local kernels = 0
    for name, row in pairs(rows("kernel")) do
      if name:match("^kernel%.") then
        kernels = kernels + 1
        for _, key in ipairs { "seconds", "bytes_per_second", "copy_bytes_per_second",
          "share_of_copy" } do
          assert.is_true(row[key] > 0, name .. ": " .. key)
        end
      end
    end
    assert.is_true(kernels > 30)
  end)

  it("measures any instruction set against its own peak", function()
    local seen = rows("mlp --threads 1", "DAUB_ISA=scalar")
    local step = seen["mlp.step"]
    assert.same({ "scalar", 1 }, { step.isa, step.threads })
    assert.is_true(step.microseconds_per_op_pair > 0 and step.share_of_peak > 0)
  end)

  it("measures direct convolutions alone", function()
    local layer = rows("--exact conv.fwd.4x4s2.8x8.256-512")["conv.fwd.4x4s2.8x8.256-512"]
    assert.is_true(layer.exact and layer.gflops > 0)
  end)

  it("does a step in PyTorch by turns with ours, where there is one #slow", function()
    local row = rows("pytorch.mlp")["pytorch.eager.mlp.step"]
    if not row then return pending("python3 has no PyTorch") end
    assert.is_true(row.seconds > 0 and row.ratio > 0)
    assert.is_string(row.pytorch)
  end)

  it("measures what the choice of algorithm goes by #slow", function()
    local seen = rows("--choice")
    for _, direction in ipairs { "forward", "input_grad", "weight_grad" } do
      local row = seen["choice." .. direction]
      assert.is_true(row.shapes > 50 and row.product > 0 and row.number > 0)
      assert.is_true(row.loss >= 0 and row.table_loss >= 0)
    end
  end)

  it("does a step without the penalty, and with it both ways", function()
    local seen = rows("penalty.96x32")
    assert.equal(1, seen["penalty.96x32.none"].ratio_cpu)
    for _, kind in ipairs { "exact", "plain" } do
      assert.is_true(seen["penalty.96x32." .. kind].ratio_cpu > 0)
    end
  end)

  it("tables growth #slow", function()
    local seen = rows("--growth")
    for _, name in ipairs { "batch.8", "batch.128", "size.32", "size.256", "threads.2" } do
      assert.is_true(seen["growth." .. name].seconds_per_image > 0)
    end
    assert.equal(4, seen["growth.size.64"].linear)
    assert.is_nil(seen["growth.size.32"].growth)
  end)

  it("paints with networks that are told themes and palettes", function()
    local seen = rows("--no-pytorch paint.tiny.96x32.one")
    assert.is_true(seen["paint.tiny.96x32.one"].images_per_second > 0)
    local values = memory.of("paint", "tiny.96x32.step")
    assert.is_true(values.peak_rss_bytes > values.peak_bytes)
  end)

  it("lists what there is", function()
    local body, code = bench("--list")
    assert.equal(0, code)
    for _, name in ipairs { "kernel.batch_norm", "conv.wgrad.4x4s2.32x32.64-128", "dcgan64.step",
      "lite.96x32.step", "lite.192x64.step", "lite.384x128.step", "penalty.96x32", "mlp.step",
      "data.decode",
      "memory.dcgan64.step", "pytorch.dcgan64.step" } do
      assert.is_truthy(body:find(name .. "\n", 1, true), name)
    end
    assert.is_nil(bench("--list --no-pytorch"):find("pytorch", 1, true))
  end)

  it("knows no other names", function()
    local _, code = bench("nothing")
    assert.equal(1, code)
    _, code = bench("--growth dcgan64")
    assert.equal(2, code)
  end)
end)

describe("measuring", function()
  it("takes best and median", function()
    local times = measure.times { 3, 1, 2, 5 }
    assert.same({ 1, 2 }, { times.best, times.median })
  end)

  it("repeats as often as asked for, or once when time is short", function()
    local runs = 0
    local function f() runs = runs + 1 end
    assert.equal(3, #measure.run(f, { repeats = 3 }).samples)
    assert.equal(4, runs)
    assert.equal(1, #measure.run(f, { seconds = 0 }).samples)
  end)

  it("counts the operations of convolutions and products", function()
    local x = tensor.zeros { 2, 8, 6, 3 }
    local w = tensor.zeros({ 4, 4, 3, 5 }, { requires_grad = true })
    local flops, list = trace.run(function()
      F.conv2d(x, w, { stride = 2, padding = 1 }):sum():backward()
    end)
    local once = 2 * 2 * 4 * 3 * 4 * 4 * 3 * 5
    assert.equal(2 * once, flops) -- forward, and for the weight
    assert.equal(2, #list)
    for _, c in ipairs(list) do
      assert.same({ 2, 8, 6, 3, 4, 3, 5 }, { c.batch, c.height, c.width, c.channels, c.rows,
        c.columns, c.filters })
      assert.same({ { 4, 4 }, { 2, 2 }, { 1, 1 }, once }, { c.kernel, c.stride, c.padding,
        trace.flops(c) })
    end
    assert.equal(2 * 7 * 3 * 4, (trace.run(function()
      tensor.zeros({ 7, 3 }):matmul(tensor.zeros { 3, 4 })
    end)))
  end)

  it("leaves the core as it was, after errors too", function()
    local conv = require("daub.core.conv").conv2d
    assert.has_error(function() trace.run(function() error("no", 0) end) end, "no")
    assert.equal(conv, require("daub.core.conv").conv2d)
  end)

  it("tells products from the rest", function()
    local a = tensor.randn { 64, 64 }
    local p = profile.run(function() a:matmul(a):relu() end)
    assert.is_true(p.convolution > 0 and p.core > 0 and p.lua >= 0)
    assert.is_true(math.abs(p.seconds - p.convolution - p.core - p.lua) < 1e-9)
  end)

  it("counts recorded operations", function()
    local x = tensor.randn({ 3 }, { requires_grad = true })
    assert.equal(3, mlp.op_pairs((x * x + x):sum()))
  end)

  it("measures a step's memory in a process of its own #slow", function()
    local values = memory.of("step", "lite.96x32.step")
    assert.is_true(values.peak_rss_bytes > values.peak_bytes)
    assert.is_true(values.idle_bytes < values.peak_bytes)
  end)
end)
