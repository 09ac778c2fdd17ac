-- Every function of a C module has its stub in lua/daub/_meta, and every stub its function.

local recipes = require "daub.recipes"
local system = require "daub.core.system"

local meta = recipes.root() .. "/lua/daub/_meta/"

-- Functions and methods that a stub documents: {name = true} each.
local function documented(name)
  local text = assert(system.read_file(meta .. name .. ".lua"))
  local functions, methods = {}, {}
  for class, separator, key in text:gmatch("\nfunction ([%w_]+)([.:])([%w_]+)%(") do
    if class == "M" and separator == "." then functions[key] = true else methods[key] = true end
  end
  return functions, methods
end

local function c_modules()
  local names = {}
  for name in pairs(package.preload) do
    names[#names + 1] = name:match("^daub%.core%.([%w_]+)$")
  end
  table.sort(names)
  return names
end

local function difference(a, b)
  local missing = {}
  for key in pairs(a) do
    if not b[key] then missing[#missing + 1] = key end
  end
  table.sort(missing)
  return table.concat(missing, " ")
end

describe("the stubs of the C modules", function()
  for _, name in ipairs(c_modules()) do
    it("are complete for daub.core." .. name, function()
      local bound = {}
      for key, value in pairs(require("daub.core." .. name)) do
        if type(value) == "function" then bound[key] = true end
      end
      local functions = documented(name)
      assert.are.equal("", difference(bound, functions), "bound but not documented")
      assert.are.equal("", difference(functions, bound), "documented but not bound")
    end)
  end

  it("name the module they are for", function()
    for _, file in ipairs(system.list_directory(meta)) do
      local module = system.read_file(meta .. file):match("^%-%-%-@meta (daub%.[%w_.]+)\n")
      assert.is_string(module, file)
      if module:match("^daub%.core%.") then
        assert.are.equal("daub.core." .. file:match("^(.*)%.lua$"), module)
        assert.is_function(package.preload[module], file)
      end
    end
  end)

  it("know every method", function()
    local bound, known = {}, {}
    for _, name in ipairs(c_modules()) do
      require("daub.core." .. name)
      local functions, methods = documented(name)
      for key in pairs(methods) do known[key] = true end
      if name == "array" then -- its functions are its methods
        for key in pairs(functions) do known[key] = true end
      end
    end
    for key, value in pairs(debug.getregistry()) do
      if type(key) == "string" and key:match("^daub%.") and type(value) == "table"
        and type(rawget(value, "__index")) == "table" then
        for method in pairs(value.__index) do
          if not tostring(method):match("^__") then bound[method] = true end
        end
      end
    end
    assert.are.equal("", difference(bound, known), "bound but not documented")
  end)
end)
