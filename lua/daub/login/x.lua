-- Logging in to X: by PIN (OAuth 1.0a), which may read and hang covers, or by browser (OAuth 2.0
-- with PKCE), which may read. Either speaks for an app of the owner's own, made at developer.x.com.
-- Both can be had for one account: each adds to what is kept.
local accounts = require "daub.accounts"
local http = require "daub.http"
local oauth1 = require "daub.oauth1"
local oauth2 = require "daub.oauth2"
local secrets = require "daub.secrets"
local x = require "daub.api.x"

local M = {}

local CALLBACK = "http://127.0.0.1:8731/"
local SCOPE = "tweet.read users.read follows.read list.read offline.access"

M.help = {
  "X wants an app of your own: make one at developer.x.com, with user authentication set up.",
  "  pin      to read and to publish: its permissions \"Read and write\", its API key and secret",
  "  browser  to read only: its OAuth 2.0 client id, and " .. CALLBACK .. " as callback address",
}

-- ---- by PIN ------------------------------------------------------------------------------------

-- Posts what OAuth 1.0a wants signed and gives the fields of the answer, which is a form.
local function post(ask, url, credentials, extra)
  local response, message, code = ask(url, { method = "POST", body = "", headers = function(at)
    return { Authorization = oauth1.header("POST", url, credentials,
      { extra = extra, time = math.floor(at) }) }
  end })
  if not response then return nil, message, code end
  if response.error then
    local refused = response.status == 401 or response.status == 403
    return nil, response.error, refused and "login" or response.code
  end
  local fields = http.fields(response.body or "")
  if not fields.oauth_token or not fields.oauth_token_secret then
    return nil, "the server gave no token (is this the right one?)", "format"
  end
  secrets.add(fields.oauth_token_secret)
  return fields
end

-- The person reads a PIN in their browser and types it here.
local function by_pin(ui, ask, root, account)
  local first, message, code = post(ask, root .. "/oauth/request_token", account,
    { oauth_callback = "oob" })
  if not first then return nil, message, code end
  ui:open(root .. "/oauth/authorize?" .. http.query({ oauth_token = first.oauth_token }))
  local pin
  pin, message, code = ui:ask("PIN shown there: ")
  if not pin then return nil, message, code end
  local second
  second, message, code = post(ask, root .. "/oauth/access_token",
    { consumer_key = account.consumer_key, consumer_secret = account.consumer_secret,
      token = first.oauth_token, token_secret = first.oauth_token_secret },
    { oauth_verifier = pin })
  if not second then return nil, message, code end
  account.token, account.token_secret = second.oauth_token, second.oauth_token_secret
  return account
end

-- Asks for several things one after the other: {{"field", "Prompt: "}, …}. They are secrets unless
-- they are public.
local function ask_for(ui, questions)
  local answers = {}
  for _, question in ipairs(questions) do
    local ask = question.public and ui.ask or ui.secret
    local answer, message, code = ask(ui, question[2])
    if not answer then return nil, message, code end
    if answer:find("[%c%s]") or answer == "" and not question.optional then
      return nil, ("%s was expected"):format(question[2]:gsub(" ?%(.*$", ""):gsub(":%s*$", "")),
        "usage"
    end
    answers[question[1]] = answer ~= "" and answer or nil
  end
  return answers
end

local function log_in_by_pin(ui, ask, root)
  local account, message, code = ask_for(ui, { { "consumer_key", "API key: " },
    { "consumer_secret", "API key secret: " },
    { "token", "Access token (Enter: have one made by PIN): ", optional = true } })
  if not account then return nil, message, code end
  if not account.token then return by_pin(ui, ask, root, account) end
  local rest
  rest, message, code = ask_for(ui, { { "token_secret", "Access token secret: " } })
  if not rest then return nil, message, code end
  account.token_secret = rest.token_secret
  return account
end

-- ---- by browser --------------------------------------------------------------------------------

local function log_in_by_browser(ui, ask, root)
  local given, message, code = ask_for(ui, { { "id", "Client id: ", public = true },
    { "secret", "Client secret (Enter: it has none): ", optional = true } })
  if not given then return nil, message, code end
  local callback
  callback, message, code = ui:ask(("Callback address (Enter: %s): "):format(CALLBACK))
  if not callback then return nil, message, code end
  local port = tonumber((callback ~= "" and callback or CALLBACK):match(
    "^http://127%.0%.0%.1:(%d+)/?$"))
  if not port then
    return nil, ("%s: not an address of this machine (expected one like %s)"):format(callback,
      CALLBACK), "usage"
  end
  local page = root == x.api and "https://x.com" or root
  local client = { id = given.id, secret = given.secret, token_url = root .. "/2/oauth2/token" }
  local answer
  answer, message, code = oauth2.browser(ask, ui, client,
    { authorize_url = page .. "/i/oauth2/authorize", scope = SCOPE, port = port })
  if not answer then return nil, message, code end
  local account = x.fields(answer)
  account.client_id, account.client_secret = given.id, given.secret
  return account
end

-- ---- the module --------------------------------------------------------------------------------

local WAYS = { pin = log_in_by_pin, browser = log_in_by_browser, [""] = log_in_by_pin }

-- With what is kept of an account that was logged in the other way before.
local function merged(name, fields)
  for _, account in ipairs(accounts.list("x") or {}) do
    if account.name:lower() == name:lower() and account.api == fields.api then
      for field, value in pairs(account) do
        if fields[field] == nil then fields[field] = value end
      end
    end
  end
  return fields
end

---@return string|nil name, table|string fields_or_message, string? code
function M.login(ui, o)
  local root, ask = x.root(o.api) or x.api, oauth2.asking(o.http)
  local way, message, code = ui:ask("pin or browser? [pin] ")
  if not way then return nil, message, code end
  if not WAYS[way:lower()] then return nil, way .. ": pin or browser was expected", "usage" end
  local fields
  fields, message, code = WAYS[way:lower()](ui, ask, root)
  if not fields then return nil, message, code end
  fields.api = o.api and root or nil
  local me
  me, message, code = x.speaking(x.signs(fields) and fields or nil,
    { bearer = fields.bearer, api = root }):me(ask)
  if not me then return nil, message, code end
  if o.who and o.who:lower() ~= me.username:lower() then
    return nil, ("this is the login of x:%s, not of x:%s"):format(me.username, o.who), "login"
  end
  fields.user_id = me.id
  return me.username, merged(me.username, fields)
end

---@return table|nil fields, string? message, string? code
function M.refresh(account, o)
  return x.refresh(oauth2.asking(o.http), account)
end

---Lets X forget the tokens.
---@return true|nil, string? message
function M.logout(account, o)
  local ask, problem = oauth2.asking(o.http), nil
  local root = account.api or x.api
  if account.refresh_token or account.bearer then
    local ok, message = oauth2.post(ask, x.client(account), root .. "/2/oauth2/revoke",
      { token = account.refresh_token or account.bearer })
    if not ok then problem = message end
  end
  if x.signs(account) then
    local ok, message = x.speaking(account, { v1 = true }):call(ask,
      "/1.1/oauth/invalidate_token.json", { method = "POST", body = "" })
    if not ok then problem = message end
  end
  if problem then return nil, problem end
  return true
end

return M
