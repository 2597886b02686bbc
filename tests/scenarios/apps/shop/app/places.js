"use strict";
const FOLDER = "/var/lib/shop";
module.exports = { CATALOGUE: `${FOLDER}/catalogue.json`, ORDERS: `${FOLDER}/orders.jsonl` };
