local autograd = require "daub.autograd"
local daub = require "daub"
local tensor = require "daub.tensor"

local function leaf(values, dtype)
  return tensor.from(values, { dtype = dtype or "f64", requires_grad = true })
end
local function is(expected, x) assert.same(expected, x:totable()) end
local function raises(pattern, f, ...)
  local ok, message = pcall(f, ...)
  assert(not ok, "expected an error like: " .. pattern)
  assert(tostring(message):find(pattern), ("expected %q, got %q"):format(pattern, message))
end

describe("backward", function()
  it("adds up in the leaves", function()
    local x, y = leaf { 1, 2 }, leaf { 3, 4 }
    local product = x * y
    product:sum():backward()
    is({ 3, 4 }, x.grad)
    is({ 1, 2 }, y.grad)
    local triple = x + x * 2
    triple:sum():backward()
    is({ 6, 7 }, x.grad)
    assert.is_false(x.grad.requires_grad)
    x.grad = nil
    assert.is_nil(x.grad)
  end)

  it("gives leaves that share a gradient memory of their own", function()
    local x, y = leaf { 1 }, leaf { 2 }
    for _ = 1, 2 do (x + y):backward() end
    x.grad:zero_()
    is({ 2 }, y.grad)
    local z = leaf { 1, 2 }
    local seed = tensor.ones({ 2 }, { dtype = "f64" })
    z:reshape({ 2 }):backward(seed)
    z:reshape({ 2 }):backward(seed)
    is({ 1, 1 }, seed)
    is({ 2, 2 }, z.grad)
  end)

  it("wants one number or a gradient", function()
    local x = leaf { 1, 2 }
    raises("expected one number", function() (x * 2):backward() end)
    raises("the gradient has shape {3}, the output {2}",
      function() (x * 2):backward(tensor.ones { 3 }) end)
    raises("does not require grad", function() tensor.ones({}):backward() end)
    local y = x * 2
    y:backward(tensor.from({ 1, 10 }, { dtype = "f64" }))
    is({ 2, 20 }, x.grad)
  end)

  it("releases the graph unless told to keep it", function()
    local x = leaf { 2 }
    local y = x * x
    y:backward(nil, { retain_graph = true })
    y:backward()
    is({ 8 }, x.grad)
    raises("released by an earlier backward", function() y:backward() end)
    local e = x:exp()
    local q = e:square()
    local z = q:sum()
    local nodes = { e.node, q.node, z.node }
    z:backward()
    for _, node in ipairs(nodes) do -- none leads to another, or to a tensor, any more
      for field, value in pairs(node) do
        assert.is_true(type(value) ~= "table" and type(value) ~= "function" or field == "versions",
          node.name .. " still holds " .. field)
      end
    end
  end)

  it("goes through deep graphs", function()
    local x = leaf { 1 }
    local y = x
    for _ = 1, 50000 do y = y + 1 end
    y:backward()
    is({ 1 }, x.grad)
  end)

  it("stops at detach, no_grad and integers", function()
    local x = leaf { 2 }
    assert.is_false((x:detach() * 2).requires_grad)
    local y = daub.no_grad(function()
      assert.is_true(autograd.enable_grad(function() return (x * 2).requires_grad end))
      return x * 2
    end)
    assert.is_false(y.requires_grad)
    assert.is_false(x:to("i64").requires_grad)
    raises("went wrong", daub.no_grad, function() error("went wrong") end)
    assert.is_true((x * 2).requires_grad)
  end)
end)

describe("in-place changes", function()
  it("are refused where a gradient would be wrong", function()
    local x = leaf { 1, 2 }
    raises("a leaf that requires grad", function() x:add_(1) end)
    daub.no_grad(function() x:add_(1) end)
    is({ 2, 3 }, x)
    local h = x * 2
    local view = h[1]
    raises("shared with a view", function() h:mul_(2) end)
    raises("shared with a view", function() view:mul_(2) end)
    raises("only leaves", function() h:requires_grad_(false) end)
  end)

  it("are found when backward needs the old values", function()
    local x, w = leaf { 1, 2 }, tensor.from({ 3, 4 }, { dtype = "f64" })
    local y = (x * w):sum()
    w:add_(1)
    raises("changed in place", function() y:backward() end)
    local e = x:exp()
    local z = e:sum()
    daub.no_grad(function() e:add_(1) end)
    raises("exp needs", function() z:backward() end)
    local v = tensor.from({ 3, 4 }, { dtype = "f64" })
    y = (x * v):sum()
    v:reshape({ 2, 1 })[1]:zero_()
    raises("changed in place", function() y:backward() end)
  end)

  it("are recorded in the graph", function()
    local x = leaf { 1, 2 }
    local h = x * 1
    h:mul_(3):add_(x):relu_()
    h:sum():backward()
    is({ 4, 4 }, x.grad)
    x.grad = nil
    local total = tensor.zeros({ 2 }, { dtype = "f64" })
    for i = 1, 3 do total:add_(x * i) end
    total:sum():backward()
    is({ 6, 6 }, x.grad)
    x.grad = nil
    local g = x * 2
    local before = g:sum()
    g:mul_(5)
    before:backward() -- sum does not need g's values
    is({ 2, 2 }, x.grad)
  end)
end)

describe("grad", function()
  it("gives a tensor for a tensor, a list for a list, and leaves grad alone", function()
    local x, y = leaf { 3 }, leaf { 4 }
    is({ 4 }, autograd.grad(x * y, x))
    local list = autograd.grad(x * y, { x, y })
    is({ 4 }, list[1])
    is({ 3 }, list[2])
    assert.is_nil(x.grad)
    is({ 5 }, autograd.grad({ x * y, x * 1 }, x))
    is({ 8 }, autograd.grad(x * y, x, { grad_outputs = tensor.from({ 2 }, { dtype = "f64" }) }))
  end)

  it("reaches tensors inside the graph", function()
    local x = leaf { 3 }
    local h = x * x
    local y = h * h
    local list = autograd.grad(y, { h, x })
    is({ 18 }, list[1])
    is({ 108 }, list[2])
  end)

  it("computes only what leads to the inputs", function()
    local x, w = leaf { 3 }, leaf { 2 }
    local asked
    local y = autograd.record(tensor.from({ 6 }, { dtype = "f64" }), "spy", { x, w },
      function(g, need)
        asked = { need[1], need[2] }
        return g, g
      end)
    autograd.grad(y, x)
    assert.same({ true, false }, asked)
  end)

  it("names inputs it cannot serve", function()
    local x, y = leaf { 3 }, leaf { 4 }
    raises("input 2 is not part of the graph", autograd.grad, x * 2, { x, y })
    local list = autograd.grad(x * 2, { x, y }, { allow_unused = true })
    is({ 2 }, list[1])
    assert.is_nil(list[2])
    raises("input 1 does not require grad", autograd.grad, x * 2, tensor.ones { 1 })
    raises("did you mean create_graph", autograd.grad, x * 2, x, { creat_graph = true })
  end)

  it("can be differentiated again and again", function()
    local x = leaf { 2 }
    local g = x ^ 4
    for _, expected in ipairs { 32, 48, 48, 24 } do
      g = autograd.grad(g, x, { create_graph = true })
      assert.near(expected, g:item(), 1e-9)
    end
    -- a gradient penalty: d/dw of |d(w x^2)/dx|^2
    local w = leaf { 3 }
    local slope = autograd.grad((w * x * x):sum(), x, { create_graph = true })
    slope:square():sum():backward()
    is({ 2 * 12 * 4 }, w.grad)
  end)
end)

describe("check", function()
  it("finds wrong gradients and wrong second ones", function()
    local x = leaf { 0.5, -1.5 }
    assert.is_true(autograd.check(function(a) return a:sin() end, x, { order = 2 }))
    local function wrong(a)
      return autograd.record(a:detach() * 3, "wrong", { a }, function(g) return g * 2 end)
    end
    local ok, message = autograd.check(wrong, { x })
    assert.is_false(ok)
    assert.truthy(message:find("gradient, input 1, element 1"))
    local function half(a) -- right once, not twice
      return autograd.record(a:detach():square(), "half", { a },
        function(g) return g * a:detach() * 2 end)
    end
    assert.is_true(autograd.check(half, x))
    ok, message = autograd.check(half, x, { order = 2 })
    assert.is_false(ok)
    assert.truthy(message:find("gradient of the gradient"))
    raises("f64 leaf", autograd.check, half, tensor.ones { 2 })
  end)
end)
