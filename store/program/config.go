package program

import (
	"bytes"
	"errors"
	"fmt"
	"io"
	"net"
	"os"
	"strconv"
	"strings"
	"time"

	"gopkg.in/yaml.v3"

	"portico.dev/portico/store/keep"
	"portico.dev/portico/store/serve"
)

// Config is the file that --config names. Every field has a default beside Dir.
type Config struct {
	// Listen is the address, 127.0.0.1:9428 by default. Port 0 is any free one; the log says which.
	Listen string `yaml:"listen"`
	TLS    TLS    `yaml:"tls"`
	// UsersFile is a YAML list of users: name and password, or token; and a tenant, where the user
	// may only read and write that one's data.
	UsersFile string `yaml:"usersFile"`
	// Dir is the folder of everything that is kept.
	Dir       string         `yaml:"dir"`
	Prefixes  serve.Prefixes `yaml:"prefixes"`
	Retention Retention      `yaml:"retention"`
	Limits    Limits         `yaml:"limits"`
	Metrics   Metrics        `yaml:"metrics"`
}

// Metrics is a VictoriaMetrics whose writes come through this program, so that what was acknowledged
// outlives a crash of it. Without URL there is none. It has to run with -dedup.minScrapeInterval=1ms.
type Metrics struct {
	URL string `yaml:"url"`
	// User is who asks it, by the password in PasswordFile; CAFile are the authorities of its certificate.
	User         string `yaml:"user"`
	PasswordFile string `yaml:"passwordFile"`
	CAFile       string `yaml:"caFile"`
	// Window is how long a write is kept here at least: 3m by default, which is enough for
	// -inmemoryDataFlushInterval=5s. Journal is how much room that may take, 1GiB by default.
	Window  Duration `yaml:"window"`
	Journal Bytes    `yaml:"journal"`
}

// TLS is the certificate to serve with, and the authorities of client certificates, which then are
// needed.
type TLS struct {
	CertFile     string `yaml:"certFile"`
	KeyFile      string `yaml:"keyFile"`
	ClientCAFile string `yaml:"clientCAFile"`
}

// Retention is how long rows are kept: 30 days by default, and no bound of bytes.
type Retention struct {
	Time  Duration `yaml:"time"`
	Bytes Bytes    `yaml:"bytes"`
}

// Limits bound what the store takes.
type Limits struct {
	// Memory is about how much memory the program uses, 1GiB by default. Threads is how many a search
	// or a write uses; 0 is one per processor.
	Memory  Bytes `yaml:"memory"`
	Threads int   `yaml:"threads"`
	// Quota is from when on writes are refused, 0 (the default) is never; Reserve is how much of the
	// disk is left to others, 256MiB by default. FullStatus answers a write without room: 507 by
	// default; with 503 an OpenTelemetry Collector keeps what it has and tries again.
	Quota      Bytes `yaml:"quota"`
	Reserve    Bytes `yaml:"reserve"`
	FullStatus int   `yaml:"fullStatus"`
	// Line is how much of a log record's body is kept, 256KiB by default. Request is how big a request
	// may be, 32MiB by default, as sent and uncompressed alike.
	Line    Bytes `yaml:"line"`
	Request Bytes `yaml:"request"`
	// Records bounds the answer to a search, 100000 by default; Search its time, 30s by default;
	// Searches how many run at a time, 4 by default.
	Records  int      `yaml:"records"`
	Search   Duration `yaml:"search"`
	Searches int      `yaml:"searches"`
	// PartRows is how many rows are dropped together at most by the retention, 2000000 by default.
	PartRows int64 `yaml:"partRows"`
}

// Default is the configuration without a file.
func Default() Config {
	return Config{
		Listen:    "127.0.0.1:9428",
		Prefixes:  serve.DefaultPrefixes(),
		Metrics:   Metrics{Window: Duration(3 * time.Minute), Journal: 1 << 30},
		Retention: Retention{Time: Duration(30 * 24 * time.Hour)},
		Limits: Limits{
			Memory: 1 << 30, Reserve: 256 << 20, FullStatus: 507, Line: 256 << 10, Request: 32 << 20,
			Records: 100_000, Search: Duration(30 * time.Second), Searches: 4, PartRows: 2_000_000,
		},
	}
}

// Parse reads a configuration. What it does not say is as in Default; an unknown field is an error.
func Parse(data []byte) (Config, error) {
	c := Default()
	d := yaml.NewDecoder(bytes.NewReader(data))
	d.KnownFields(true)
	if err := d.Decode(&c); err != nil && !errors.Is(err, io.EOF) {
		return Config{}, fmt.Errorf("reading the configuration: %w", err)
	}
	return c, nil
}

// Check refuses a configuration with which the store could not do its work.
func (c Config) Check() error {
	l := c.Limits
	for _, rule := range []struct {
		bad  bool
		text string
	}{
		{c.Dir == "", "dir: expected a folder"},
		{c.Retention.Time < Duration(time.Hour) || c.Retention.Time > Duration(3650*24*time.Hour), "retention.time: expected between 1h and 3650d"},
		{c.Retention.Bytes < 0 || c.Retention.Bytes > 0 && c.Retention.Bytes < 16<<20, "retention.bytes: expected at least 16MiB, or 0"},
		{l.Memory < 128<<20, "limits.memory: expected at least 128MiB"},
		{l.Threads < 0 || l.Threads > 1024, "limits.threads: expected between 0 and 1024"},
		{l.Quota < 0 || l.Reserve < 0, "limits.quota and limits.reserve: expected at least 0"},
		{l.FullStatus != 507 && l.FullStatus != 503 && l.FullStatus != 429, "limits.fullStatus: expected 507, 503 or 429"},
		{l.Line < 1024 || l.Line > 16<<20, "limits.line: expected between 1KiB and 16MiB"},
		{l.Request < 1<<20 || l.Request > 128<<20, "limits.request: expected between 1MiB and 128MiB"},
		{l.Records < 1 || l.Searches < 1 || l.Search <= 0, "limits.records, limits.search and limits.searches: expected more than 0"},
		{l.PartRows < 10_000, "limits.partRows: expected at least 10000"},
		{c.Metrics.URL != "" && (c.Metrics.Window < Duration(10*time.Second) || c.Metrics.Journal < 16<<20), "metrics: expected a window of at least 10s, and at least 16MiB for the journal"},
		{(c.TLS.CertFile == "") != (c.TLS.KeyFile == ""), "tls: expected both certFile and keyFile, or neither"},
		{c.TLS.ClientCAFile != "" && c.TLS.CertFile == "", "tls.clientCAFile: expected certFile and keyFile as well"},
	} {
		if rule.bad {
			return errors.New(rule.text)
		}
	}
	return c.checkListen()
}

// checkListen refuses to serve everybody's data to everybody.
func (c Config) checkListen() error {
	host, _, err := net.SplitHostPort(c.Listen)
	if err != nil {
		return fmt.Errorf("listen: %w", err)
	}
	ip := net.ParseIP(host)
	if host == "localhost" || ip != nil && ip.IsLoopback() || c.UsersFile != "" || c.TLS.ClientCAFile != "" {
		return nil
	}
	return fmt.Errorf("listen: %s can be reached from elsewhere: set usersFile or tls.clientCAFile, or listen on 127.0.0.1", c.Listen)
}

func (c Config) keeper(threads int) keep.Config {
	l := c.Limits
	if l.Threads > 0 {
		threads = l.Threads
	}
	return keep.Config{
		Dir: c.Dir, Retention: time.Duration(c.Retention.Time), RetentionBytes: int64(c.Retention.Bytes),
		QuotaBytes: int64(l.Quota), ReserveBytes: int64(l.Reserve), MemoryBytes: int64(l.Memory), Threads: threads,
		LineBytes: int(l.Line), BodyBytes: int64(l.Request), PartRows: l.PartRows,
	}
}

func (c Config) handler(users serve.Users) serve.Config {
	l := c.Limits
	// What requests hold in memory before they are rows stays below an eighth of the whole.
	requests := max(2, min(64, int(l.Memory/8/max(1, l.Request/4))))
	return serve.Config{
		Prefixes: c.Prefixes, Users: users, BodyBytes: int64(l.Request), Requests: requests, Searches: l.Searches,
		SearchTime: time.Duration(l.Search), Records: l.Records, FullStatus: l.FullStatus,
	}
}

// readUsers reads the users' file; none where there is no such file named.
func readUsers(path string) (serve.Users, error) {
	if path == "" {
		return nil, nil
	}
	data, err := os.ReadFile(path)
	if err != nil {
		return nil, fmt.Errorf("reading usersFile: %w", err)
	}
	var users serve.Users
	d := yaml.NewDecoder(bytes.NewReader(data))
	d.KnownFields(true)
	if err := d.Decode(&users); err != nil {
		return nil, fmt.Errorf("reading usersFile %s: %w", path, err)
	}
	if len(users) == 0 {
		return nil, fmt.Errorf("reading usersFile %s: expected at least one user", path)
	}
	if err := users.Check(); err != nil {
		return nil, fmt.Errorf("reading usersFile %s: %w", path, err)
	}
	return users, nil
}

// Bytes is a number of bytes, written as 1048576, 1MiB or 1MB.
type Bytes int64

var units = []struct {
	suffix string
	bytes  int64
}{
	{"KiB", 1 << 10}, {"MiB", 1 << 20}, {"GiB", 1 << 30}, {"TiB", 1 << 40},
	{"KB", 1e3}, {"MB", 1e6}, {"GB", 1e9}, {"TB", 1e12}, {"", 1},
}

// Set reads a number of bytes.
func (b *Bytes) Set(text string) error {
	for _, u := range units {
		digits, ok := strings.CutSuffix(text, u.suffix)
		if !ok {
			continue
		}
		n, err := strconv.ParseInt(strings.TrimSpace(digits), 10, 64)
		if err != nil || n < 0 || n > (1<<62)/u.bytes {
			break
		}
		*b = Bytes(n * u.bytes)
		return nil
	}
	return fmt.Errorf("%q: expected a number of bytes such as 512MiB", text)
}

// String writes the number of bytes.
func (b Bytes) String() string { return strconv.FormatInt(int64(b), 10) }

// UnmarshalYAML reads a number of bytes.
func (b *Bytes) UnmarshalYAML(n *yaml.Node) error { return b.Set(n.Value) }

// Duration is a length of time, written as 30d, or as Go writes them.
type Duration time.Duration

// Set reads a length of time.
func (d *Duration) Set(text string) error {
	if days, ok := strings.CutSuffix(text, "d"); ok {
		n, err := strconv.Atoi(days)
		if err == nil && n >= 0 && n < 100_000 {
			*d = Duration(time.Duration(n) * 24 * time.Hour)
			return nil
		}
	}
	parsed, err := time.ParseDuration(text)
	if err != nil {
		return fmt.Errorf("%q: expected a length of time such as 12h or 30d", text)
	}
	*d = Duration(parsed)
	return nil
}

// String writes the length of time.
func (d Duration) String() string { return time.Duration(d).String() }

// UnmarshalYAML reads a length of time.
func (d *Duration) UnmarshalYAML(n *yaml.Node) error { return d.Set(n.Value) }
