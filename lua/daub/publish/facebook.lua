-- Facebook's Graph API has no call that sets a person's cover: this is the way by hand.
return { by_hand = {
  url = "https://www.facebook.com/me",
  steps = {
    "Facebook lets no program set a person's cover. By hand:",
    "1. open the address below and click \"Edit cover photo\", then \"Upload photo\"",
    "2. take the file, leave it where it is (its middle shows on phones, too), and save",
  },
} }
