package config_test

import (
	"os"
	"path/filepath"
	"reflect"
	"strings"
	"testing"

	"portico.dev/portico/config"
)

func env(pairs map[string]string) func(string) string {
	return func(name string) string { return pairs[name] }
}

func write(t *testing.T, dir, text string) string {
	t.Helper()
	file := filepath.Join(dir, config.File)
	if err := os.WriteFile(file, []byte(text), 0o600); err != nil {
		t.Fatal(err)
	}
	return file
}

const head = "apiVersion: " + config.APIVersion + "\nkind: " + config.Kind + "\n"

func TestOrder(t *testing.T) {
	data := t.TempDir()
	write(t, data, head+"listen: 127.0.0.1:1000\n")
	before := t.TempDir()
	if err := os.WriteFile(filepath.Join(before, config.Started), []byte(head+"listen: 127.0.0.1:4000\n"), 0o600); err != nil {
		t.Fatal(err)
	}
	elsewhere := write(t, t.TempDir(), head+"data: "+before+"\n")
	home := t.TempDir()
	if err := os.MkdirAll(filepath.Join(home, "portico", config.Started), 0o700); err != nil { // a folder cannot be read
		t.Fatal(err)
	}
	tests := []struct {
		name, why string
		from      config.Sources
		listen    string
	}{
		{"Default", "Nothing is said: the documented default holds.", config.Sources{Data: t.TempDir(), Getenv: env(nil)}, "127.0.0.1:7443"},
		{"Before", "A plane keeps its address.", config.Sources{Data: before, Getenv: env(nil)}, "127.0.0.1:4000"},
		{"File", "The file in the data folder is found without a flag.", config.Sources{Data: data, Getenv: env(nil)}, "127.0.0.1:1000"},
		{"FolderFromFile", "The file names the folder: the plane of that one keeps its address, and no other folder is asked.",
			config.Sources{File: elsewhere, UID: 1, Getenv: env(map[string]string{"XDG_STATE_HOME": home})}, "127.0.0.1:4000"},
		{"FolderFromEnvironment", "PORTICO_DATA names the folder, whose file then counts.", config.Sources{Getenv: env(map[string]string{"PORTICO_DATA": data})}, "127.0.0.1:1000"},
		{"Environment", "The environment wins over the file.", config.Sources{Data: data, Getenv: env(map[string]string{"PORTICO_LISTEN": "127.0.0.1:2000"})}, "127.0.0.1:2000"},
		{"Flag", "A flag wins over everything.", config.Sources{Data: data, Listen: "127.0.0.1:3000", Getenv: env(map[string]string{"PORTICO_LISTEN": "127.0.0.1:2000"})}, "127.0.0.1:3000"},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			c, err := config.Load(tt.from)
			if err != nil || c.Listen != tt.listen {
				t.Errorf("%s\nlisten = %q, %v; want %q", tt.why, c.Listen, err, tt.listen)
			}
		})
	}
}

// The file of another version says nothing that keeps a command from running.
func TestStartedByAnotherVersion(t *testing.T) {
	tests := []struct{ name, why, text, listen string }{
		{"UnknownField", "The address is the one that is known.", "apiVersion: v9\nwhatever: {a: 1}\nlisten: 127.0.0.1:4000\n", "127.0.0.1:4000"},
		{"OtherType", "What cannot be an address is none.", "listen: {host: x}\n", "127.0.0.1:7443"},
		{"NoYAML", "The version file says what is wrong with the folder.", "\t{", "127.0.0.1:7443"},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			data := t.TempDir()
			if err := os.WriteFile(filepath.Join(data, config.Started), []byte(tt.text), 0o600); err != nil {
				t.Fatal(err)
			}
			c, err := config.Load(config.Sources{Data: data, Getenv: env(nil)})
			if err != nil || c.Listen != tt.listen {
				t.Errorf("%s\nlisten = %q, %v; want %q", tt.why, c.Listen, err, tt.listen)
			}
		})
	}
}

func TestRefused(t *testing.T) {
	tests := []struct{ name, why, text, want string }{
		{"MisspeltKey", "A key that does nothing would be believed.", head + "lissten: x\n", "lissten"},
		{"OtherVersion", "A file of another version may mean something else.", "apiVersion: v2\nkind: X\n", config.APIVersion},
		{"NoPort", "The address must be complete.", head + "listen: 127.0.0.1\n", "listen"},
		{"Name", "A name could resolve to the outside.", head + "listen: localhost:7443\n", "IP address"},
		{"EveryAddress", "Kubeconfigs would lead nowhere.", head + "listen: 0.0.0.0:7443\n", "every address"},
		{"EveryAddress6", "The same of IPv6.", head + "listen: '[::]:7443'\n", "every address"},
		{"MachineKind", "The list is closed.", head + "machines: {kind: Imaginary}\n", "Imaginary"},
		{"NameServer6", "Clusters have no IPv6.", head + "clusters: {nameservers: ['2001:db8::1']}\n", "clusters.nameservers: 2001:db8::1"},
		{"NameServerOfItsOwn", "A loopback address is another one's in a cluster.", head + "clusters: {nameservers: [127.0.0.53]}\n", "clusters.nameservers: 127.0.0.53"},
		{"NameServerByName", "Who would resolve it?", head + "clusters: {nameservers: [dns.example.com]}\n", "dns.example.com"},
		{"Links", "The list is closed.", head + "http: {links: Nowhere}\n", "http.links"},
		{"PlainExternal", "Cookies are for TLS alone.", head + "http: {external: 'http://p'}\n", "http.external"},
		{"ExternalBelow", "Cookies are for a whole host.", head + "http: {external: 'https://p/portico'}\n", "http.external"},
		{"PlainIssuer", "Tokens would be anybody's.", head + "http: {oidc: {issuer: 'http://i', clientID: p}}\n", "http.oidc.issuer"},
		{"IssuerWithSecret", "A URL is shown in messages.", head + "http: {oidc: {issuer: 'https://u:p@i', clientID: p}}\n", "http.oidc.issuer"},
		{"NoIssuer", "Whose client would it be?", head + "http: {oidc: {clientID: p}}\n", "http.oidc.issuer"},
		{"NoClient", "Whose tokens are they?", head + "http: {oidc: {issuer: 'https://i'}}\n", "http.oidc.clientID"},
		{"SecretInClear", "A configuration is printed and copied.", head + "http: {oidc: {issuer: 'https://i', clientID: p, clientSecret: s}}\n", "clientSecret"},
		{"TwoSecrets", "Which one counts?", head + "http: {oidc: {issuer: 'https://i', clientID: p, clientSecretFile: /f, clientSecretRef: {name: s}}}\n", "http.oidc.clientSecretRef"},
		{"NamelessSecret", "Which one is it?", head + "http: {oidc: {issuer: 'https://i', clientID: p, clientSecretRef: {key: s}}}\n", "http.oidc.clientSecretRef.name"},
		{"RelativeSecret", "It would depend on where one stands.", head + "http: {oidc: {issuer: 'https://i', clientID: p, clientSecretFile: f}}\n", "http.oidc.clientSecretFile"},
		{"RelativeAuthority", "The same.", head + "http: {oidc: {issuer: 'https://i', clientID: p, caFile: f}}\n", "http.oidc.caFile"},
		{"KubernetesNames", "An issuer would name system:masters.", head + "http: {oidc: {issuer: 'https://i', clientID: p, groupsPrefix: 'system:'}}\n", "http.oidc.groupsPrefix"},
		{"HalfOfThem", "It could write the other half.", head + "http: {oidc: {issuer: 'https://i', clientID: p, usernamePrefix: s}}\n", "http.oidc.usernamePrefix"},
		{"Audience", "It is believed as it is.", head + "http: {oidc: {issuer: 'https://i', clientID: p, audiences: [q, p]}}\n", "http.oidc.audiences[1]"},
		{"Scope", "Scopes are separated by spaces.", head + "http: {oidc: {issuer: 'https://i', clientID: p, scopes: ['a b']}}\n", "http.oidc.scopes[0]"},
		{"RelativeData", "A relative folder would depend on where one stands.", head + "data: x\n", ""},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			file := write(t, t.TempDir(), tt.text)
			_, err := config.Load(config.Sources{File: file, Getenv: env(map[string]string{"HOME": "/nonexistent"}), UID: 1})
			if tt.want == "" {
				if err != nil {
					t.Errorf("a relative folder is made absolute once, at loading: %v", err)
				}
				return
			}
			if err == nil || !strings.Contains(err.Error(), tt.want) {
				t.Errorf("%s\nLoad = %v; want an error with %q", tt.why, err, tt.want)
			}
		})
	}
}

// An issuer is taken as it is written, and nothing of it is lost when the configuration is printed.
func TestIssuer(t *testing.T) {
	text := head + `http:
  links: Anywhere
  external: https://portico.example.com
  oidc: {issuer: "https://dex.example.com/dex", clientID: portico, clientSecretRef: {namespace: a, name: b, key: c}, scopes: [email],
    usernameClaim: sub, usernamePrefix: "u:", groupsClaim: roles, groupsPrefix: "g:", requiredClaims: {hd: example.com}, caFile: /ca.crt}
`
	c, err := config.Load(config.Sources{File: write(t, t.TempDir(), text), Getenv: env(nil)})
	if err != nil {
		t.Fatal(err)
	}
	b, err := c.Encode()
	if err != nil {
		t.Fatal(err)
	}
	again, err := config.Load(config.Sources{File: write(t, t.TempDir(), string(b)), Getenv: env(nil)})
	if err != nil || !reflect.DeepEqual(again.HTTP, c.HTTP) || c.HTTP.OIDC.ClientSecretRef != (config.SecretKey{Namespace: "a", Name: "b", Key: "c"}) || c.HTTP.OIDC.RequiredClaims["hd"] != "example.com" {
		t.Errorf("printed and read again = %+v, %v; want %+v", again.HTTP, err, c.HTTP)
	}
}

func TestMissingFile(t *testing.T) {
	_, err := config.Load(config.Sources{File: "/nonexistent/portico.yaml", Getenv: env(nil)})
	if err == nil || !strings.Contains(err.Error(), "/nonexistent/portico.yaml") {
		t.Errorf("Load = %v; want an error that names the file the user named", err)
	}
}

func TestEncodedIsRead(t *testing.T) {
	c, err := config.Load(config.Sources{Data: t.TempDir(), Getenv: env(nil)})
	if err != nil {
		t.Fatal(err)
	}
	b, err := c.Encode()
	if err != nil {
		t.Fatal(err)
	}
	again, err := config.Load(config.Sources{File: write(t, t.TempDir(), string(b)), Getenv: env(nil)})
	if err != nil || again.Data != c.Data || again.Listen != c.Listen {
		t.Errorf("printed and read again = %+v, %v; want %+v", again, err, c)
	}
}
