package source

import (
	"strings"
	"testing"
)

const someIndex = `
apiVersion: v1
entries:
  web:
    - {version: 1.0.0, urls: [web-1.0.0.tgz], digest: aa}
    - {version: 1.1.0, urls: ["https://elsewhere.example/web-1.1.0.tgz"]}
  broken:
    - {version: 1.0.0}
`

func TestIndexChoose(t *testing.T) {
	ix, err := parseIndex([]byte(someIndex))
	if err != nil {
		t.Fatal(err)
	}
	tests := []struct{ name, why, chart, version, address, fails string }{
		{"Relative", "An index names archives relative to itself.", "web", "1.0.0", "https://charts.example/stable/web-1.0.0.tgz", ""},
		{"Absolute", "Or anywhere else.", "web", "", "https://elsewhere.example/web-1.1.0.tgz", ""},
		{"NoChart", "The message says which charts there are.", "wep", "", "", `chart "wep" is not in the repository; there is broken, web`},
		{"NoVersion", "The message says which versions there are.", "web", "2.x", "", `chart "web": no version matches "2.x"; there is 1.1.0, 1.0.0`},
		{"NoAddress", "An entry without address cannot be fetched.", "broken", "", "", `chart "broken" 1.0.0: the repository's index names no address for it`},
	}
	for _, tc := range tests {
		t.Run(tc.name, func(t *testing.T) {
			entry, err := ix.choose(tc.chart, tc.version)
			if tc.fails != "" {
				if err == nil || err.Error() != tc.fails {
					t.Fatalf("%s\nerror %v\nwant  %s", tc.why, err, tc.fails)
				}
				return
			}
			if err != nil {
				t.Fatal(err)
			}
			got, err := entry.address("https://charts.example/stable/")
			if err != nil || got != tc.address {
				t.Errorf("%s\naddress %q, %v; want %q", tc.why, got, err, tc.address)
			}
		})
	}
}

func TestParseIndexRefuses(t *testing.T) {
	for _, page := range []string{"<html>sign in</html>", "message: hello"} {
		if _, err := parseIndex([]byte(page)); err == nil || !strings.Contains(err.Error(), "it is not") {
			t.Errorf("%q passes for an index: %v", page, err)
		}
	}
}
