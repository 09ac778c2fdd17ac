local support = require "support.collecting"
local system = require "daub.core.system"

-- What accounts.token says in a process with this environment.
local function token(environment, network, host)
  local words = { "env", "-u", "DAUB_MASTODON_TOKEN" }
  for name, value in pairs(environment) do words[#words + 1] = name .. "=" .. value end
  for _, word in ipairs { system.realpath("/proc/self/exe"), "-e",
    ("local t, m = require('daub.accounts').token('%s', '%s') print(t or m)")
      :format(network, host) } do
    words[#words + 1] = word
  end
  local process = assert(system.spawn(words, { stdout = "pipe", stdin = "null" }))
  local out = ""
  for part in function() return process:read() end do out = out .. part end
  assert.equal(0, process:wait())
  process:close()
  return (out:gsub("\n$", ""))
end

after_each(support.clean_up)

describe("an account's token", function()
  it("comes from the environment, for its own host only", function()
    local environment = { DAUB_MASTODON_TOKEN = "one.test=first, two.test=second",
      XDG_CONFIG_HOME = support.folder() }
    assert.equal("first", token(environment, "mastodon", "one.test"))
    assert.equal("second", token(environment, "mastodon", "two.test"))
    assert.equal("nil", token(environment, "mastodon", "three.test"))
    environment.DAUB_MASTODON_TOKEN = "bare-token"
    local said = token(environment, "mastodon", "one.test")
    assert.matches("HOST=TOKEN expected", said)
    assert.not_matches("bare%-token", said)
  end)

  it("comes from a file that nobody else can read", function()
    local folder = support.folder()
    local file = folder .. "/daub/accounts.json"
    support.write(file, '{"mastodon": {"one.test": {"token": "kept"}}}')
    local environment = { XDG_CONFIG_HOME = folder }
    system.chmod(file, tonumber("640", 8))
    assert.matches("others may read it %(chmod 600", token(environment, "mastodon", "one.test"))
    system.chmod(file, tonumber("600", 8))
    assert.equal("kept", token(environment, "mastodon", "one.test"))
    assert.equal("nil", token(environment, "mastodon", "two.test"))
    support.write(file, "{")
    system.chmod(file, tonumber("600", 8))
    assert.matches("not JSON", token(environment, "mastodon", "one.test"))
  end)
end)
