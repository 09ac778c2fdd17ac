-- The examples about tensors and networks run and say what they should.
local daub = require "support.daub"
local fixture = require "support.learning"
local image = require "daub.image"
local system = require "daub.core.system"

local function run(name, ...)
  local r = daub.run { daub.tests .. "/../examples/" .. name .. ".lua", ... }
  assert.equal("", r.err)
  assert.equal(0, r.code)
  return function(text) assert(r.out:find(text, 1, true), text .. " is not in:\n" .. r.out) end
end

describe("example", function()
  it("tensors", function()
    local says = run "tensors"
    says "slope 3.0"
    says "second derivative of x^3 at 2:\t12"
  end)

  it("custom_layer", function()
    local says = run "custom_layer"
    says "agree with differences:\ttrue"
    says "x {1, 8, 8, 4} has 4 channels"
  end)

  it("latent_arithmetic", function()
    local folder = system.temporary_directory("daub-sum")
    local pictures = fixture.pictures(8)
    assert.are.equal(0, fixture.train(pictures, folder .. "/run", fixture.small.lite
      .. " --steps 1"))
    run("latent_arithmetic", folder .. "/run", folder .. "/sum.png") "A - B + C: the last row"
    local pixels = assert(image.load(folder .. "/sum.png"))
    assert.are.same({ 4 * 16 + 5 * 2, 6 * 32 + 7 * 2, 3 }, pixels.shape)
    fixture.remove(folder)
    fixture.remove(pictures)
  end)

  it("gan", function() run("gan", "50") "step   50  D" end)
end)
