package download

import (
	"net/http"
	"net/http/httptest"
	"net/netip"
	"strings"
	"testing"
)

func TestGuard(t *testing.T) {
	for _, tc := range []struct {
		address, why     string
		tenant, platform bool
	}{
		{"93.184.216.34", "a server of the world", true, true},
		{"10.96.0.10", "a private network: mirrors are there", true, true},
		{"2606:2800:220:1::1", "the world by version 6", true, true},
		{"127.0.0.1", "the plane's own services ask nobody who they are", false, true},
		{"127.8.9.10", "all of that network is the machine itself", false, true},
		{"::1", "the same by version 6", false, true},
		{"::ffff:127.0.0.1", "the same in disguise", false, true},
		{"64:ff9b::7f00:1", "the same through a translator", false, true},
		{"0.0.0.0", "systems take it for themselves", false, true},
		{"::", "the same by version 6", false, true},
		{"169.254.169.254", "where clouds serve credentials", false, false},
		{"::ffff:169.254.169.254", "the same in disguise", false, false},
		{"64:ff9b::a9fe:a9fe", "the same through a translator", false, false},
		{"fe80::1%eth0", "the link by version 6", false, false},
		{"fd00:ec2::254", "Amazon's by version 6", false, false},
		{"fd20:ce::254", "Google's by version 6", false, false},
		{"100.100.100.200", "Alibaba's", false, false},
		{"168.63.129.16", "Azure's", false, false},
		{"192.0.0.192", "Oracle's", false, false},
		{"224.0.0.1", "nobody alone", false, false},
	} {
		ip := netip.MustParseAddr(tc.address)
		if got := (guard{}).refuses(ip) == ""; got != tc.tenant {
			t.Errorf("%s (%s): may a tenant have it read: %v", tc.address, tc.why, got)
		}
		if got := (guard{trusted: true}).refuses(ip) == ""; got != tc.platform {
			t.Errorf("%s (%s): may the platform have it read: %v", tc.address, tc.why, got)
		}
	}
}

// Neither a name, nor an address written out, nor a redirect leads a tenant to the plane's machine.
func TestGuardOnTheWay(t *testing.T) {
	inside := newSite(t, httptest.NewServer)
	inside.answers(text(rules, ""))
	port := inside.URL[strings.LastIndex(inside.URL, ":"):]
	for _, url := range []string{inside.URL, "http://localhost" + port, "http://LOCALHOST." + port, "http://[::ffff:127.0.0.1]" + port, "http://0.0.0.0" + port, "oci://127.0.0.1" + port + "/a:b"} {
		_, err := fetch(t.Context(), Wish{Place: Place{URL: url}}, validators{})
		if err == nil || !strings.Contains(words(err), "the plane's own machine") {
			t.Errorf("%s: %v", url, err)
		}
	}
	if asked := inside.requests(); len(asked) > 0 {
		t.Errorf("%d requests reached it", len(asked))
	}
	outside := newSite(t, httptest.NewServer)
	outside.answers(func(w http.ResponseWriter, r *http.Request) {
		http.Redirect(w, r, "http://169.254.169.254/latest/meta-data", http.StatusFound)
	})
	if _, err := fetch(t.Context(), at(outside.URL), validators{}); err == nil || !strings.Contains(words(err), "clouds serve credentials") {
		t.Errorf("the redirect: %v", err)
	}
}

// A name is judged by what it stands for when it is dialled.
func TestGuardControl(t *testing.T) {
	if err := (guard{}).control("tcp4", "127.0.0.1:80", nil); err == nil {
		t.Error("a name that stands for the plane's machine was dialled")
	}
	if err := (guard{}).control("tcp4", "10.1.2.3:80", nil); err != nil {
		t.Error(err)
	}
}
