"use strict";
// Put the catalogue there, whole or not at all; what is there stays.
const fs = require("node:fs");
const { CATALOGUE } = require("./places");

if (!fs.existsSync(CATALOGUE)) {
  const items = [{ name: "Käse & Brot", price: "4,20 €" }, { name: "<tea>", price: "1,00 €" }];
  fs.writeFileSync(`${CATALOGUE}.new`, JSON.stringify(items));
  fs.renameSync(`${CATALOGUE}.new`, CATALOGUE);
}
