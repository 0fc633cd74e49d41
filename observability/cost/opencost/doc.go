// Package opencost serves costs over HTTP in the shapes of OpenCost's API, so that its clients
// work: /allocation, /allocation/compute and /assets.
//
// Names of parameters and of JSON fields are OpenCost's; properties have tenant besides. Amounts
// are exact decimals of up to nine places, so that they add up in an answer as they do inside;
// quantities are rounded to five places. A parameter that makes no sense is refused by its name,
// where OpenCost would take a default. What is not as it seems stands in warning.
//
// It reads facts through Source, for the scope that Access finds in a request, and never answers
// with anything outside of it. Begin with API.
package opencost
