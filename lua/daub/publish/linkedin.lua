-- LinkedIn takes no background picture from programs: this is the way by hand.
return { by_hand = {
  url = "https://www.linkedin.com/in/me/",
  steps = {
    "LinkedIn lets no program set a background picture. By hand:",
    "1. open the address below and click the camera above your background picture",
    "2. choose \"Change photo\", take the file, leave the crop as it is, and apply",
  },
} }
