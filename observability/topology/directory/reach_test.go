package directory

import (
	"errors"
	"io"
	"net"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"
	"time"

	"k8s.io/apimachinery/pkg/types"

	"portico.dev/portico/observability/topology"
)

func TestCheckFar(t *testing.T) {
	for _, tc := range []struct {
		why, address string
		far          bool
	}{
		{"A store on the internet.", "203.0.113.7:443", true},
		{"One in a private network, where regions are, too.", "10.0.0.7:8427", true},
		{"And by IPv6.", "[2001:db8::7]:443", true},
		{"This computer.", "127.0.0.1:8427", false},
		{"All of that network are this computer.", "127.8.8.8:80", false},
		{"By IPv6.", "[::1]:80", false},
		{"IPv4 in IPv6.", "[::ffff:127.0.0.1]:80", false},
		{"Nothing in particular is this computer.", "0.0.0.0:80", false},
		{"The same by IPv6.", "[::]:80", false},
		{"Where clouds keep the credentials of machines.", "169.254.169.254:80", false},
		{"In IPv6 as well.", "[::ffff:169.254.169.254]:80", false},
		{"A link.", "[fe80::1%eth0]:80", false},
		{"Everybody on the link.", "224.0.0.1:80", false},
		{"No address.", "localhost:80", false},
	} {
		if err := checkFar(tc.address); (err == nil) != tc.far {
			t.Errorf("%s\ncheckFar(%s) = %v, want far: %t", tc.why, tc.address, err, tc.far)
		}
	}
}

func lineTo(t *testing.T, base string, far reach) *http.Client {
	t.Helper()
	l, err := newLine(topology.Region{NamespacedName: types.NamespacedName{Namespace: "team", Name: "eu"}, Endpoints: topology.EndpointsAt(base)}, far)
	must(t, err)
	l.use(Login{User: "u", Passwords: []string{"p"}})
	return l.client()
}

// A region of somebody else's namespace does not make the plane ask itself, under whatever name.
func TestRegionNearby(t *testing.T) {
	asked := 0
	server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) {
		asked++
		http.Error(w, "secret of the plane", http.StatusForbidden)
	}))
	defer server.Close()
	_, port, err := net.SplitHostPort(server.Listener.Addr().String())
	must(t, err)
	for _, host := range []string{"127.0.0.1", "localhost", "0.0.0.0", "[::ffff:127.0.0.1]"} {
		base := "http://" + host + ":" + port
		resp, err := lineTo(t, base, abroad).Get(base)
		if err == nil {
			resp.Body.Close()
		}
		if !errors.Is(err, errNear) {
			t.Errorf("%s: %v; want it refused", host, err)
		}
	}
	if asked > 0 {
		t.Errorf("the plane asked itself %d times", asked)
	}
	resp, err := lineTo(t, server.URL, anywhere).Get(server.URL)
	must(t, err)
	defer resp.Body.Close()
	if text, err := io.ReadAll(resp.Body); err != nil || !strings.Contains(string(text), "secret") {
		t.Errorf("those who run the plane see %q, %v", text, err)
	}
}

// Of a refusal is told what a store of metrics says about a question, and nothing else.
func TestTold(t *testing.T) {
	for _, tc := range []struct {
		why    string
		status int
		body   string
		want   string
	}{
		{"What a store says of a question.", 422, `{"status":"error","errorType":"422","error":"too many series"}`, `{"status":"error","errorType":"422","error":"too many series"}`},
		{"More than that is left out.", 422, `{"status":"error","error":"x","token":"secret"}`, `{"status":"error","error":"x"}`},
		{"Another program's words.", 403, "forbidden: token=secret", ""},
		{"Its JSON.", 403, `{"message":"secret"}`, ""},
		{"More than is read.", 403, `{"status":"error","error":"` + strings.Repeat("x", mostSaid) + `"}`, ""},
		{"A redirection.", 302, "secret", ""},
		{"An answer stays.", 200, "data", "data"},
	} {
		resp := &http.Response{
			StatusCode: tc.status, Body: io.NopCloser(strings.NewReader(tc.body)), Request: httptest.NewRequest(http.MethodGet, "/", nil),
		}
		got, err := io.ReadAll(abroad.told(resp).Body)
		if err != nil || string(got) != tc.want {
			t.Errorf("%s\ntold is %q, %v; want %q", tc.why, got, err, tc.want)
		}
	}
}

// What does not speak HTTP is not quoted either.
func TestToldOfAnotherProtocol(t *testing.T) {
	l, err := net.Listen("tcp", "127.0.0.1:0")
	must(t, err)
	defer l.Close()
	go func() {
		for {
			c, err := l.Accept()
			if err != nil {
				return // the test has ended
			}
			_, _ = c.Write([]byte("SSH-2.0-secret\r\n"))
			_ = c.SetReadDeadline(time.Now().Add(time.Second))
			_, _ = io.Copy(io.Discard, c)
			_ = c.Close()
		}
	}()
	_, err = lineTo(t, "http://"+l.Addr().String(), anywhere).Get("http://" + l.Addr().String())
	if err == nil || !strings.Contains(err.Error(), "secret") {
		t.Fatalf("those who run the plane see %v", err)
	}
	if told := abroad.toldError(err); strings.Contains(told.Error(), "secret") {
		t.Errorf("others see %v", told)
	}
}

// spaces is an answer without an end.
type spaces struct{}

func (spaces) Read(into []byte) (int, error) {
	for i := range into {
		into[i] = ' '
	}
	return len(into), nil
}

func (spaces) Close() error { return nil }

// An answer of somebody else's region ends where it is too long, whatever it is about; what is told as it
// comes does not.
func TestEndlessAnswer(t *testing.T) {
	for _, tc := range []struct {
		why, path string
		far       reach
		most      int64
	}{
		{"The values of a label are not counted anywhere else.", "/vm/select/0/prometheus/api/v1/label/x/values", abroad, mostAnswered},
		{"Those who run the plane know what they do.", "/vm/select/0/prometheus/api/v1/label/x/values", anywhere, 2 * mostAnswered},
		{"Who follows logs takes them one by one.", "/vls/select/portico/logs/tail", abroad, 2 * mostAnswered},
	} {
		req := httptest.NewRequest(http.MethodGet, tc.path, nil)
		resp := tc.far.told(&http.Response{StatusCode: http.StatusOK, Body: spaces{}, Request: req})
		n, err := io.CopyN(io.Discard, resp.Body, 2*mostAnswered)
		if n != tc.most || (err == nil) != (tc.most == 2*mostAnswered) {
			t.Errorf("%s\n%d bytes are read, %v", tc.why, n, err)
		}
	}
}
