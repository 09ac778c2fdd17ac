-- daub bench: what it prints, on the smallest layer. No test asserts a time.
local json = require "daub.json"
local measure = require "daub.bench.measure"
local system = require "daub.core.system"

local host = system.realpath("/proc/self/exe")

local function bench(arguments)
  local pipe = assert(io.popen(("%s bench %s 2>/dev/null; echo exit $?"):format(host, arguments)))
  local text = pipe:read("*a")
  pipe:close()
  local body, code = text:match("^(.*)exit (%d+)\n$")
  return body, tonumber(code)
end

describe("bench", function()
  it("prints a JSON line for each layer", function()
    local body, code = bench("--json --repeats 1 conv.fwd.4x4s1.4x4.512-1")
    assert.equal(0, code)
    local seen = {}
    for line in body:gmatch("[^\n]+") do
      local values = assert(json.decode(line))
      seen[values.name] = values
    end
    local layer = seen["conv.fwd.4x4s1.4x4.512-100"]
    for _, key in ipairs { "seconds", "gflops", "peak_gflops", "share_of_peak", "threads" } do
      assert.is_true(layer[key] > 0, key)
    end
    assert.equal("f32", layer.precision)
    assert.equal(system.info().isa, layer.isa)
    assert.is_not_nil(seen["conv.fwd.4x4s1.4x4.512-1"])
    assert.is_true(seen.memory.peak_bytes > 0)
  end)

  it("lists what there is", function()
    local body, code = bench("--list")
    assert.equal(0, code)
    assert.matches("conv.wgrad.4x4s2.32x32.64%-128\n", body)
    assert.matches("dcgan64.step\n", body)
  end)

  it("knows no other names", function()
    local _, code = bench("nothing")
    assert.equal(1, code)
  end)

  it("takes best and median", function()
    local times = measure.times { 3, 1, 2, 5 }
    assert.same({ 1, 2 }, { times.best, times.median })
  end)
end)
