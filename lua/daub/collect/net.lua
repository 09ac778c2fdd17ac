-- Asking the network from a coroutine: `get` suspends its caller until the answer is there, while
-- the main loop goes on polling the same session for everybody.
--
--   local net = net.new(session)
--   local co = coroutine.create(function() local answer = net:get(url) … end)
--   for _, result in ipairs(session:poll(0.1)) do
--     if not net:arrived(result) then …somebody else's transfer… end
--   end
local M = {}

M.api_connections = 2

---@class daub.collect.Net
local Net = {}
Net.__index = Net

---@param session table of daub.http
function M.new(session)
  return setmetatable({ session = session, asking = {} }, Net)
end

---Whether a coroutine waits for an answer.
function Net:busy() return next(self.asking) ~= nil end

---One request, which only reads; only inside a coroutine. A server's refusal is a response with
---`error`, too. Its host counts as an API from then on: no more than two transfers at once.
---@param o? {headers: table?, method: string?, json: any, form: table?, body: string?}
---@param known? {etag: string?, last_modified: string?}  of an earlier answer
---@return daub.http.Result|nil response, string? message, string? code
function Net:get(url, o, known)
  o = o or {}
  self.session:cap(url, M.api_connections)
  local id = self.session:add({ url = url, method = o.method, headers = o.headers, json = o.json,
    form = o.form, body = o.body, public_only = o.public_only, retries = o.retries,
    redirects = "same-host", safe = true, etag = known and known.etag,
    last_modified = known and known.last_modified })
  self.asking[id] = coroutine.running()
  local result = coroutine.yield()
  if not result.status then return nil, result.error, result.code end
  return result
end

---Resumes whoever waits for this result; false when nobody does.
function Net:arrived(result)
  local waiting = self.asking[result.id]
  if not waiting then return false end
  self.asking[result.id] = nil
  M.resume(waiting, result)
  return true
end

---Goes on with a coroutine; its errors are the caller's.
function M.resume(co, ...)
  local ok, message = coroutine.resume(co, ...)
  if not ok then error(message, 0) end
end

return M
