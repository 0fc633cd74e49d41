package fleet

import (
	"errors"
	"fmt"
	"net/url"
	"strings"
	"time"
)

const (
	// UsualInterval is how often a remote URL is asked where nobody says, as Sveltos does.
	UsualInterval = 5 * time.Minute
	// LeastInterval is the shortest interval between two looks at a remote URL: a fleet must not wear
	// out a server of somebody else's.
	LeastInterval = 10 * time.Second
)

// CheckRemoteURL says what is wrong with a URL that manifests are downloaded from; it is nil if
// nothing is.
func CheckRemoteURL(text string) error {
	u, err := url.Parse(text)
	switch {
	case err != nil, u.Scheme != "http" && u.Scheme != "https" && u.Scheme != "oci", u.Hostname() == "":
		return errors.New("begin with https://, http:// or oci://, and name a server")
	case u.User != nil:
		return errors.New("a URL holds no credentials: put them into a Secret, and name it in secretRef")
	case u.Scheme == "oci" && strings.Trim(u.Path, "/") == "":
		return errors.New("write oci://REGISTRY/REPOSITORY:TAG, or @sha256:… in place of the tag")
	}
	return nil
}

// CheckInterval says what is wrong with an interval between two looks at a remote URL; it is nil if
// nothing is.
func CheckInterval(d time.Duration) error {
	if d < LeastInterval {
		return fmt.Errorf("write a duration of %s or more, for example %s", LeastInterval, UsualInterval)
	}
	return nil
}

// IsArtifactURL says whether a remote URL leads to an artifact of a registry, which holds files by
// their paths; any other leads to one file.
func IsArtifactURL(text string) bool { return strings.HasPrefix(text, "oci://") }
