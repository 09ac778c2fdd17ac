-- Signing against every published example.
local oauth1 = require "daub.oauth1"

local function signature(method, url, credentials, o)
  return oauth1.header(method, url, credentials, o):match('oauth_signature="([^"]*)"')
end

-- developer.x.com, "Creating a signature"
local app = { consumer_key = "xvz1evFS4wEEPTGEFPHBog",
  consumer_secret = "kAcSOqF21Fu85e7zjz7ZN2U4ZRhfV3WpwPAoE3Z7kBw",
  token = "370773112-GmHxMAgYyLbNEtIKZeRNFsMKPR9EyMZeS9weJAEb",
  token_secret = "LswwdoUaIvS8ltyTt5jkRh4J50vUPVVHtR2YPi5kE" }
local status = { fields = { status = "Hello Ladies + Gentlemen, a signed OAuth request!" },
  nonce = "kYjzVBB8Y0ZFabxSWbWovY3uYSQ2pTgmZeNu2VS4cg", time = 1318622958 }

-- RFC 5849, 1.2, and OAuth Core 1.0, appendix A
local printer = { consumer_key = "dpf43f3p2l4k3l03", consumer_secret = "kd94hf93k423kf44",
  token = "nnch734d00sl2jdk", token_secret = "pfkkdhi9sl3r4s00" }
local photo = "http://photos.example.net/photos?file=vacation.jpg&size=original"

describe("a signature of OAuth 1.0a", function()
  for address, expected in pairs {
    ["https://api.x.com/1.1/statuses/update.json"] = "Ls93hJiZbQ3akF3HF3x1Bz8%2FzU4%3D",
    ["https://api.twitter.com/1.1/statuses/update.json"] = "hCtSmYh%2BiHYCEqBWrE7C7hYmtUk%3D",
    ["https://api.twitter.com/1/statuses/update.json"] = "tnnArxj06cWHq44gCs1OSKk%2FjLY%3D",
  } do
    it("is what X computes for " .. address, function()
      assert.equal(expected,
        signature("POST", address .. "?include_entities=true", app, status))
    end)
  end

  it("is what the standard and its first edition compute", function()
    assert.equal("MdpQcU8iPSUjWoN%2FUDMsK2sui9I%3D", signature("GET", photo, printer,
      { nonce = "chapoH", time = 137131202, version = false }))
    assert.equal("tR3%2BTy81lMeYAr%2FFid0kMTYa%2FWM%3D", signature("GET", photo, printer,
      { nonce = "kllo9940pd9333jh", time = 1191242096 }))
  end)

  it("is of what RFC 5849 says, down to repeated, empty and encoded parameters", function()
    assert.equal("POST&http%3A%2F%2Fexample.com%2Frequest&a2%3Dr%2520b%26a3%3D2%2520q%26a3%3Da%26"
      .. "b5%3D%253D%25253D%26c%2540%3D%26c2%3D%26oauth_consumer_key%3D9djdj82h48djs9d2%26"
      .. "oauth_nonce%3D7d8f3e4a%26oauth_signature_method%3DHMAC-SHA1%26"
      .. "oauth_timestamp%3D137131201%26oauth_token%3Dkkk9d7dh3k39sjv7",
      oauth1.base_string("post", "HTTP://Example.com:80/request?b5=%3D%253D&a3=a&c%40=&a2=r%20b", {
        fields = { c2 = "", a3 = "2 q" },
        oauth = { oauth_consumer_key = "9djdj82h48djs9d2", oauth_token = "kkk9d7dh3k39sjv7",
          oauth_signature_method = "HMAC-SHA1", oauth_timestamp = "137131201",
          oauth_nonce = "7d8f3e4a" } }))
    -- RFC 5849, 3.4.1.2
    local https = oauth1.base_string("GET", "https://www.example.net:8080/?q=1", { oauth = {} })
    assert.equal("GET&https%3A%2F%2Fwww.example.net%3A8080%2F&q%3D1", https)
  end)

  it("is another each time", function()
    local url = "https://api.x.com/2/users/me"
    assert.not_equal(oauth1.header("GET", url, app, { time = 5 }),
      oauth1.header("GET", url, app, { time = 5 }))
    local header = oauth1.header("GET", url, { consumer_key = "k", consumer_secret = "s" },
      { extra = { oauth_callback = "oob" } })
    assert.matches('^OAuth oauth_callback="oob", oauth_consumer_key="k", oauth_nonce="%w+"',
      header)
    assert.is_nil(header:find("oauth_token", 1, true))
  end)
end)
