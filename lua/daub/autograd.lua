-- The tape: which op made a tensor, and how its gradient flows back.
--
--     local y = (x * x):sum()                                   -- every op calls autograd.record
--     y:backward()                                              -- fills x.grad of every leaf x
--     local g = autograd.grad(y, x, { create_graph = true })    -- g can be differentiated again
--
-- A node is a plain table: {name, edges = nodes of its inputs (or false), backward = function(g,
-- need), saved, versions}. A leaf that requires grad is a node with `leaf` and no edges. A node of
-- one edge may have add(g, sum), which adds to the array `sum` what backward makes of the array g.
-- backward(g, need) returns one gradient per input (nil or false where need[i] is false or there is
-- none); it is made of differentiable ops, so running it with recording on gives the graph of the
-- gradient. Without a graph of the gradient, g and what backward returns belong to the tape, which
-- releases their memory as soon as they have been used: a backward that keeps one keeps a clone.
local A = require "daub.core.array"
local options = require "daub.options"

local M = {}

local enabled = true

--- Whether ops are recorded now.
function M.enabled() return enabled end

local function restore(before, ok, ...)
  enabled = before
  if not ok then error((...), 0) end
  return ...
end

local function with_recording(state, f, ...)
  local before = enabled
  enabled = state
  return restore(before, pcall(f, ...))
end

--- Runs f(...) without recording; returns what f returns.
function M.no_grad(f, ...) return with_recording(false, f, ...) end
--- Runs f(...) with recording, inside no_grad too.
function M.enable_grad(f, ...) return with_recording(true, f, ...) end

-- The number of in-place changes of a tensor's storage; views share one cell {count}.
local function version(x)
  local cell = rawget(x, "_version")
  return cell and cell[1] or 0
end

local function sink(x)
  local node = rawget(x, "_sink")
  if not node then
    node = { name = "leaf", leaf = x, edges = {} }
    rawset(x, "_sink", node)
  end
  return node
end

-- The node gradients of x flow into.
local function node_of(x) return x.node or sink(x) end

--- Makes `y` the result of an op, when recording is on and an input requires grad.
---@param y daub.Tensor a fresh tensor
---@param name string
---@param inputs table tensors; anything else (a number, false) takes no gradient
---@param backward fun(g: daub.Tensor, need: boolean[]): ... one gradient per input
---@param saved? table tensors that backward reads: they must not change in place before it runs
---@return daub.Tensor y
function M.record(y, name, inputs, backward, saved)
  if not enabled then return y end
  local edges, any = {}, false
  for i = 1, #inputs do
    local x = inputs[i]
    if type(x) == "table" and x.requires_grad then
      edges[i], any = x.node or sink(x), true
    else
      edges[i] = false
    end
  end
  if not any then return y end
  local versions
  if saved then
    versions = {}
    for i = 1, #saved do
      versions[i] = type(saved[i]) == "table" and version(saved[i]) or 0
    end
  end
  y.requires_grad = true
  y.node = { name = name, edges = edges, backward = backward, saved = saved, versions = versions }
  return y
end

local function check_saved(node)
  local saved, versions = node.saved, node.versions
  for i = 1, #saved do
    if type(saved[i]) == "table" and version(saved[i]) ~= versions[i] then
      options.misuse(("backward: a tensor that %s needs for its gradient, shape %s, was changed in "
        .. "place after it was used (change a clone of it)"):format(node.name,
        options.shape(saved[i].shape)))
    end
  end
end

-- Every node below `roots`, inputs before what was made of them. Iterative: graphs may be deep.
local function topological(roots)
  local order, seen, stack, at = {}, {}, {}, {}
  for _, root in ipairs(roots) do
    local top = 0
    if not seen[root] then
      seen[root], top = true, 1
      stack[1], at[1] = root, 0
    end
    while top > 0 do
      local node, i = stack[top], at[top] + 1
      local edges = node.edges
      if not edges then
        options.misuse(("backward: the graph through %s was released by an earlier backward "
          .. "(retain_graph = true keeps it)"):format(node.name))
      end
      if i > #edges then
        order[#order + 1] = node
        top = top - 1
      else
        at[top] = i
        local below = edges[i]
        if below and not seen[below] then
          seen[below], top = true, top + 1
          stack[top], at[top] = below, 0
        end
      end
    end
  end
  return order
end

-- The nodes of `order` through which a gradient must flow: those with a path to a target, or to
-- any leaf when there are no targets.
local function paths(order, targets)
  local wanted = {}
  for _, node in ipairs(order) do
    local w = node.leaf ~= nil
    if targets then w = targets[node] or false end
    local edges = node.edges
    for i = 1, #edges do
      if w then break end
      w = edges[i] and wanted[edges[i]] or false
    end
    wanted[node] = w
  end
  return wanted
end

-- Gradients that belong to the tape are counted: `own[g]` nodes are still to use g. The last one
-- gives its memory back at once. Nothing is released while the gradient's own graph is recorded.
local function let_go(own, g)
  local n = own[g]
  if not n then return end
  own[g] = n > 1 and n - 1 or nil
  if n == 1 and not enabled then A.release_(g.array) end
end

-- Whether nothing else refers to g's memory.
local function alone(own, g) return own[g] == 1 and not rawget(g, "_version") end

-- Adds g to the gradient of a leaf.
local function accumulate(x, g, own)
  local sum = rawget(x, "grad")
  if enabled then
    x.grad = sum and sum + g or g
  elseif not sum and alone(own, g) then
    x.grad, own[g] = g, nil
  else
    if sum then sum:add_(g) else x.grad = g:clone() end
    let_go(own, g)
  end
end

-- Adds gi to what has come to the node `below` so far.
local function gather(below, gi, grads, own)
  local sum = grads[below]
  if not sum then
    grads[below] = gi
    return
  end
  local one, other = sum, gi
  if not alone(own, one) then one, other = gi, sum end
  if enabled or not alone(own, one) or one.dtype ~= other.dtype then
    grads[below] = sum + gi
    own[grads[below]] = 1
    let_go(own, one)
  else
    A.binary("add", one.array, other.array, one.array)
    grads[below] = one
  end
  let_go(own, other)
end

-- Whether a backward made gi itself, and did not hand on what it was given.
local function is_new(gi, g, saved)
  if gi.array == g.array then return false end
  for i = 1, saved and #saved or 0 do
    if saved[i] == gi then return false end
  end
  return true
end

-- Runs one node's backward and hands its results to its inputs.
local function flow(node, g, wanted, grads, own)
  local edges, need, any = node.edges, {}, false
  for i = 1, #edges do
    need[i] = edges[i] and wanted[edges[i]] or false
    any = any or need[i]
  end
  if not any then return end
  local sum = node.add and not enabled and grads[edges[1]]
  if sum and alone(own, sum) and sum.dtype == g.dtype and A.is_contiguous(sum.array) then
    node.add(g.array, sum.array)
    return
  end
  local saved = node.saved
  if saved then check_saved(node) end
  local out = { node.backward(g, need) }
  for i = 1, #edges do -- all are counted before one is added to another
    local gi = need[i] and out[i]
    if gi and (own[gi] or is_new(gi, g, saved)) then own[gi] = (own[gi] or 0) + 1 end
  end
  for i = 1, #edges do
    if need[i] and out[i] then gather(edges[i], out[i], grads, own) end
  end
end

local function run(roots, seeds, targets, keep)
  local order = topological(roots)
  local wanted = paths(order, targets)
  local grads, own, results = {}, {}, {}
  for i, root in ipairs(roots) do
    grads[root] = grads[root] and grads[root] + seeds[i] or seeds[i]
  end
  for k = #order, 1, -1 do
    local node = order[k]
    local g = grads[node]
    grads[node], order[k] = nil, nil
    if g and targets and targets[node] then results[node], own[g] = g, nil end
    if g and node.leaf then
      if not targets then accumulate(node.leaf, g, own) end
    elseif g and wanted[node] then
      flow(node, g, wanted, grads, own)
      let_go(own, g)
      if not keep then node.backward, node.edges, node.saved, node.add = nil, nil, nil, nil end
    end
  end
  return results
end

local function expect_tensor(op, what, x)
  if type(x) ~= "table" or not rawget(x, "array") then
    options.misuse(("%s: %s is %s, expected a tensor"):format(op, what, options.shown(x)))
  end
end

local function seed_for(op, output, given)
  if given then
    expect_tensor(op, "the gradient", given)
    if options.shape(given.shape) ~= options.shape(output.shape) then
      options.misuse(("%s: the gradient has shape %s, the output %s"):format(op,
        options.shape(given.shape), options.shape(output.shape)))
    end
    return given
  end
  if output:numel() ~= 1 then
    options.misuse(("%s: the output has shape %s, expected one number (or give its gradient)")
      :format(op, options.shape(output.shape)))
  end
  return output:detach():ones_like()
end

local function need_graph(op, what, x)
  expect_tensor(op, what, x)
  if not x.requires_grad then
    options.misuse(op .. ": " .. what .. " does not require grad, nothing was recorded for it")
  end
end

--- Adds the gradient of `output` to the `grad` of every leaf it was made from.
---@param output daub.Tensor
---@param gradient? daub.Tensor of output's shape; may be left out for one number
---@param o? {retain_graph: boolean, create_graph: boolean}
function M.backward(output, gradient, o)
  o = options.check("backward", o, { retain_graph = options.none, create_graph = false })
  need_graph("backward", "the tensor", output)
  local keep = o.retain_graph
  if keep == nil then keep = o.create_graph end
  local seed = seed_for("backward", output, gradient)
  with_recording(o.create_graph, run, { node_of(output) }, { seed }, nil, keep)
  if not keep then A.tidy() end
end

local function as_list(x)
  if type(x) ~= "table" then
    options.misuse("grad: expected a tensor or a list of tensors, got " .. type(x))
  end
  if rawget(x, "array") then return { x }, false end
  return x, true
end

--- Gradients of the sum of `outputs` with respect to `inputs`; leaves' `grad` stay as they are.
---@param outputs daub.Tensor|daub.Tensor[]
---@param inputs daub.Tensor|daub.Tensor[]
---@param o? table create_graph, retain_graph (default create_graph), allow_unused: boolean;
--- grad_outputs: the gradients of outputs that are not one number
---@return daub.Tensor|daub.Tensor[] a tensor for a tensor, a list for a list
function M.grad(outputs, inputs, o)
  o = options.check("grad", o, { retain_graph = options.none, create_graph = false,
    grad_outputs = options.none, allow_unused = false })
  local outs = as_list(outputs)
  local ins, many = as_list(inputs)
  local given = o.grad_outputs and as_list(o.grad_outputs) or {}
  local roots, seeds, targets = {}, {}, {}
  for i, y in ipairs(outs) do
    need_graph("grad", "output " .. i, y)
    roots[i], seeds[i] = node_of(y), seed_for("grad", y, given[i])
  end
  for i, x in ipairs(ins) do
    need_graph("grad", "input " .. i, x)
    targets[node_of(x)] = true
  end
  local keep = o.retain_graph
  if keep == nil then keep = o.create_graph end
  local results = with_recording(o.create_graph, run, roots, seeds, targets, keep)
  if not keep then A.tidy() end
  local list = {}
  for i, x in ipairs(ins) do
    list[i] = results[node_of(x)]
    if not list[i] and not o.allow_unused then
      options.misuse(("grad: input %d is not part of the graph of the outputs "
        .. "(allow_unused = true gives nil)"):format(i))
    end
  end
  if many then return list end
  return list[1]
end

-- Compares d(value)/d(x) by central differences with `gradient`, element by element.
local function compare(value, x, gradient, o)
  local p, g = x:view(), gradient:totable_flat()
  for k = 0, x:numel() - 1 do
    local before = p[k]
    p[k] = before + o.eps
    local above = value()
    p[k] = before - o.eps
    local below = value()
    p[k] = before
    local numeric = (above - below) / (2 * o.eps)
    local off = math.abs(numeric - g[k + 1])
    if off > o.atol + o.rtol * math.abs(numeric) or off ~= off then
      return ("element %d: differences give %.8g, the gradient says %.8g")
        :format(k + 1, numeric, g[k + 1])
    end
  end
end

-- Fixed, unequal weights, so that a gradient that only sums right is still found wrong.
local function weights_like(y, phase)
  local w = y:detach():zeros_like()
  local p = w:view()
  for k = 0, w:numel() - 1 do p[k] = math.cos(phase + 1.7 * k) + 0.3 end
  return w
end

local check_defaults = { order = 1, eps = 1e-6, rtol = 1e-5, atol = 1e-6 }

--- Checks gradients of f by finite differences.
---@param f fun(...): daub.Tensor of the inputs, deterministic
---@param inputs daub.Tensor|daub.Tensor[] f64, contiguous leaves that require grad
---@param o? table order: 1, or 2 for gradients of gradients too; eps, rtol, atol: numbers
---@return boolean ok, string? message
function M.check(f, inputs, o)
  o = options.check("check", o, check_defaults)
  local meta = getmetatable(f)
  if type(f) ~= "function" and not (type(meta) == "table" and meta.__call) then
    options.misuse("check: expected a function, got " .. options.shown(f))
  end
  local list = as_list(inputs)
  for i, x in ipairs(list) do
    expect_tensor("check", "input " .. i, x)
    if x.dtype ~= "f64" or not x.requires_grad or x.node then
      options.misuse(("check: input %d must be an f64 leaf that requires grad"):format(i))
    end
  end
  local function weighted() -- one number that every element of f's result takes part in
    local y = f(unpack(list))
    return (y * weights_like(y, 0)):sum()
  end
  local function slope(create) -- one number that every gradient takes part in
    local total
    local gradients = M.grad(weighted(), list, { create_graph = create, allow_unused = true })
    for i = 1, #list do
      if gradients[i] then
        local s = (gradients[i] * weights_like(gradients[i], i)):sum()
        total = total and total + s or s
      end
    end
    return total
  end
  local function compare_all(value, gradients, what)
    for i, x in ipairs(list) do
      local message = compare(value, x, gradients[i] or x:detach():zeros_like(), o)
      if message then return ("%s, input %d, %s"):format(what, i, message) end
    end
  end
  local message = compare_all(function() return weighted():item() end,
    M.grad(weighted(), list, { allow_unused = true }), "gradient")
  if not message and o.order == 2 then
    local s = slope(true)
    local gradients = s.requires_grad and M.grad(s, list, { allow_unused = true }) or {}
    message = compare_all(function() return slope(false):item() end, gradients,
      "gradient of the gradient")
  end
  if message then return false, message end
  return true
end

M.version = version
return M
