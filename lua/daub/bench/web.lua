-- A web server with made-up pictures on this machine: nginx, and JPEGs painted in a few processes.
--
--     local web = Web.new(5000, { width = 1500, height = 500, patches = 10, painted = 500 })
--     web.pictures .. "/1.jpg", web.url .. "/1.jpg", web:folder("out")
--     web:close()
local array = require "daub.core.array"
local image = require "daub.core.image"
local loopback = require "daub.core.loopback"
local system = require "daub.core.system"

local M = {}

M.nginx = "/usr/sbin/nginx"

local CONFIGURATION = [[
daemon off; master_process off; pid %s/pid; error_log stderr error;
events { worker_connections 256; }
http {
  access_log off; client_body_temp_path %s/b; proxy_temp_path %s/p; fastcgi_temp_path %s/f;
  uwsgi_temp_path %s/u; scgi_temp_path %s/s; sendfile on; keepalive_requests 1000000;
  server { listen 127.0.0.1:%d; location / { root %s; } }
}
]]

---@class daub.bench.Web
---@field root string      a temporary folder, removed at the end
---@field pictures string  the folder that is served
---@field url string
local Web = {}
Web.__index = Web

---Paints the pictures FIRST to LAST: smooth patches, another picture for each number.
---@param folder string
---@param first integer
---@param o {last: integer, width: integer, height: integer, patches: integer} patches: down
function M.paint(folder, first, o)
  for i = first, o.last do
    local small = array.integers(array.generator(i), 0, 256, { o.patches, 3 * o.patches, 3 }, "u8")
    local pixels = image.resize(small, o.width, o.height, { filter = "triangle" })
    assert(system.write_file(("%s/%d.jpg"):format(folder, i), image.encode_jpeg(pixels, 85)))
  end
end

-- Paints with as many processes as there are threads.
local function paint_all(folder, count, o)
  local processes, share = {}, math.ceil(count / system.threads())
  for first = 1, count, share do
    local code = ("require('daub.bench.web').paint(%q, %d, {last = %d, width = %d, height = %d, "
      .. "patches = %d})"):format(folder, first, math.min(count, first + share - 1), o.width,
      o.height, o.patches)
    processes[#processes + 1] = assert(system.spawn({ system.realpath("/proc/self/exe"), "-e",
      code }, { stdin = "null" }))
  end
  for _, process in ipairs(processes) do
    if process:wait() ~= 0 then error("the pictures could not be painted", 0) end
    process:close()
  end
end

-- The pictures FIRST to LAST: those at the beginning once more, each with a comment of its own, so
-- that no two files are equal.
local function copy_all(folder, first, last)
  for i = first, last do
    local bytes = assert(system.read_file(("%s/%d.jpg"):format(folder, (i - 1) % (first - 1) + 1)))
    local comment = "\255\254\0\10" .. ("%08d"):format(i) -- a COM segment: marker, size, text
    assert(system.write_file(("%s/%d.jpg"):format(folder, i),
      { bytes:sub(1, 2), comment, bytes:sub(3) }))
  end
end

local function start_nginx(self)
  local listener = assert(loopback.listen(0)) -- finds a free port
  local port, d = listener:port(), self.root
  listener:close()
  assert(system.write_file(d .. "/nginx.conf",
    CONFIGURATION:format(d, d, d, d, d, d, port, self.pictures)))
  self.process = assert(system.spawn({ M.nginx, "-c", d .. "/nginx.conf", "-p", d },
    { stdin = "null" }))
  self.url = "http://127.0.0.1:" .. port
  for _ = 1, 100 do
    if system.stat(d .. "/pid") then return end
    system.sleep(0.05)
  end
  error("nginx did not start", 0)
end

---nil and a line when nginx is not installed. Of the `count` pictures so many as `painted` look
---different from each other.
---@param count integer
---@param o {width: integer, height: integer, patches: integer, painted: integer}
---@return daub.bench.Web|nil, string? message
function M.new(count, o)
  if not system.stat(M.nginx) then return nil, "nginx is not installed" end
  local root = assert(system.temporary_directory("daub-bench"))
  local self = setmetatable({ root = root, pictures = root .. "/pictures" }, Web)
  assert(system.chmod(root, 493)) -- 0755
  local ok, message = pcall(function()
    assert(system.make_directory(self.pictures))
    local painted = math.min(count, o.painted)
    paint_all(self.pictures, painted, o)
    copy_all(self.pictures, painted + 1, count)
    start_nginx(self)
  end)
  if ok then return self end
  self:close()
  error(message, 0)
end

---A new empty folder, removed at the end.
function Web:folder(name)
  local path = self.root .. "/" .. name
  M.remove(path)
  assert(system.make_directory(path))
  return path
end

---Removes a file or a folder with all that is in it.
---@param path string
function M.remove(path)
  local stat = system.stat(path)
  if not stat then return end
  if stat.type == "directory" then
    for _, name in ipairs(system.list_directory(path)) do M.remove(path .. "/" .. name) end
  end
  system.remove(path)
end

function Web:close()
  if self.process then
    self.process:kill("term")
    self.process:wait(5)
    self.process:close()
  end
  M.remove(self.root)
end

return M
