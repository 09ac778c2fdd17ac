-- Passes over whole maps: what they compute (gradients stand in ops_spec), and what they refuse.
local F = require "daub.ops"
local tensor = require "daub.tensor"

local function largest(t) return t:abs():max():item() end

describe("noise and gates", function()
  it("are a product and a sum", function()
    for c = 1, 20 do
      local x, noise = tensor.randn { 3, 5, 7, c }, tensor.randn { 3, 5, 7, 1 }
      local weight, factor = tensor.randn { c }, tensor.randn { 3, 1, 1, c }
      assert.is_true(largest(F.add_noise(x, noise, weight) - (x + noise * weight)) < 1e-5)
      assert.are.equal((x * factor):tobytes(), F.gate(x, factor):tobytes())
    end
  end)

  it("are added in place where that is asked for", function()
    local x, noise = tensor.randn { 3, 5, 7, 6 }, tensor.randn { 3, 5, 7, 1 }
    local weight = tensor.randn({ 6 }, { requires_grad = true })
    local h = tensor.ones({}, { requires_grad = true }) * x
    local y = F.add_noise(x, noise, weight)
    local z = F.add_noise(h, noise, weight, { inplace = true })
    assert.are.equal(y:detach():tobytes(), z:detach():tobytes())
    assert.are.equal(h:view(), z:view())
    z:square():sum():backward()
    local gradient = weight.grad
    weight.grad = nil
    y:square():sum():backward()
    assert.is_true(largest(gradient - weight.grad) < 1e-3)
    local e = tensor.ones({ 1, 1, 1, 6 }, { requires_grad = true }):exp()
    F.add_noise(e, tensor.ones { 1, 1, 1, 1 }, weight, { inplace = true })
    local ok, message = pcall(function() e:sum():backward() end)
    assert.is_false(ok)
    assert.truthy(tostring(message):match("changed in place"))
    assert.has_error(function()
      F.add_noise(x:requires_grad_(), noise, weight, { inplace = true })
    end, "add_noise: a leaf that requires grad cannot change in place")
    assert.has_error(function()
      F.add_noise(tensor.randn({ 1, 2, 2, 3 }):permute { 1, 3, 2, 4 }, tensor.ones { 1, 2, 2, 1 },
        tensor.ones { 3 }, { inplace = true })
    end, "add_outer: x is not contiguous, it cannot change in place")
  end)

  it("take views", function()
    local x = tensor.randn({ 3, 4, 6, 5 }):permute { 1, 3, 2, 4 }
    local noise, weight = tensor.randn({ 3, 6, 8, 1 }):narrow(3, 2, 4), tensor.randn { 5 }
    assert.is_true(largest(F.add_noise(x, noise, weight) - (x + noise * weight)) < 1e-5)
  end)

  it("say what they expected", function()
    local x = tensor.zeros { 2, 3, 4, 5 }
    assert.has_error(function() F.add_noise(x, tensor.zeros { 2, 3, 4 }, tensor.zeros { 5 }) end,
      "add_noise: the noise is {2, 3, 4}, expected {2, 3, 4, 1}")
    assert.has_error(function() F.add_noise(x, tensor.zeros { 2, 3, 4, 1 }, tensor.zeros { 4 }) end,
      "add_noise: the weight is {4}, expected {5}")
    assert.has_error(function() F.gate(x, tensor.zeros { 5 }) end,
      "gate: the factor is {5}, expected {2, 1, 1, 5}")
    assert.has_error(function() F.gate(tensor.zeros { 2 }, tensor.zeros { 5 }) end,
      "gate: x is {2}, expected {N, H, W, C}")
    local ok, message = pcall(F.add_noise, x:to("f64"), tensor.zeros { 2, 3, 4, 1 },
      tensor.zeros { 5 })
    assert.is_false(ok)
    assert.truthy(tostring(message):match("f32 or f64 of shapes"))
  end)
end)

describe("a shift", function()
  local function ways(list) return tensor.from(list, { dtype = "i64" }) end

  it("moves each picture its own way", function()
    local x = tensor.arange(1, 13):reshape { 2, 2, 3, 1 }
    local y = F.shift(x, ways { { 0, 1 }, { -1, -2 } })
    assert.are.same({ 2, 3, 0, 5, 6, 0, 0, 0, 0, 0, 0, 7 }, y:reshape({ -1 }):totable())
  end)

  it("leaves nothing when the way is too far, and takes whole numbers", function()
    local x = tensor.ones({ 4, 2, 3, 2 }, { dtype = "u8" })
    local far = ways { { 2, 0 }, { 0, -3 }, { -2 ^ 30, 2 ^ 30 }, { 0, 0 } }
    local y = F.shift(x, far):to("f32")
    assert.are.equal(0, y:narrow(1, 1, 3):sum():item())
    assert.are.equal(12, y:sum():item())
  end)

  it("says what it expected", function()
    local x = tensor.zeros { 2, 3, 4, 5 }
    assert.has_error(function() F.shift(x, ways { 1, 2 }) end,
      "shift: the way is {2}, expected {2, 2}")
    assert.has_error(function() F.shift(x, tensor.zeros { 2, 2 }) end,
      "shift: the way is f32, expected i64")
    local ok, message = pcall(F.shift, x, ways { { 2 ^ 40, 0 }, { 0, 0 } })
    assert.is_false(ok)
    assert.truthy(tostring(message):match("at most"))
  end)
end)
