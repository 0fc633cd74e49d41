package fleet

import (
	"testing"
	"time"
)

func TestCheckRemoteURL(t *testing.T) {
	for _, tc := range []struct {
		url, why string
		good     bool
	}{
		{"https://example.com/a.yaml?version=1", "a file of a web server", true},
		{"http://10.0.0.1:8080/a.yaml", "without TLS, by an address", true},
		{"oci://registry.example.com/team/rules:1.0.0", "an artifact of a registry", true},
		{"ftp://example.com/a.yaml", "nobody speaks that here", false},
		{"file:///etc/passwd", "the plane's own files are nobody's", false},
		{"https:///a.yaml", "no server", false},
		{"oci://registry.example.com", "no repository", false},
		{"https://me:secret@example.com/a.yaml", "whoever reads the object would read the password", false},
		{"https://exa mple.com", "no URL", false},
		{"", "nothing", false},
	} {
		if err := CheckRemoteURL(tc.url); (err == nil) != tc.good {
			t.Errorf("%s: %q: %v", tc.why, tc.url, err)
		}
	}
	for d, good := range map[time.Duration]bool{0: false, -time.Hour: false, LeastInterval - 1: false, LeastInterval: true, 24 * time.Hour: true} {
		if err := CheckInterval(d); (err == nil) != good {
			t.Errorf("%s: %v", d, err)
		}
	}
}
