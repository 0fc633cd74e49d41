package serve

import (
	"crypto/sha256"
	"crypto/subtle"
	"fmt"
	"net/http"
	"strings"
)

// User is somebody who may use the store: by name and password, or by token.
type User struct {
	Name     string `yaml:"name"`
	Password string `yaml:"password"`
	Token    string `yaml:"token"`
	// Tenant is the only one whose data the user reads and writes; empty leaves it to the request, as
	// for VMAuth, which adds the tenant itself.
	Tenant string `yaml:"tenant"`
}

// Users are all who may use the store. No users at all means everybody who can connect.
type Users []User

// Check refuses what could never be used, or could be used by mistake.
func (u Users) Check() error {
	for i, user := range u {
		switch {
		case user.Token == "" && (user.Name == "" || user.Password == ""):
			return fmt.Errorf("user %d: expected a token, or a name and a password", i+1)
		case user.Tenant != "" && !tenantText.MatchString(user.Tenant):
			return fmt.Errorf("user %d: tenant %q is not the value of a label", i+1, user.Tenant)
		}
	}
	return nil
}

// Find returns the user whose credentials the request carries.
func (u Users) Find(r *http.Request) (User, bool) {
	if len(u) == 0 {
		return User{}, true
	}
	name, password, basic := r.BasicAuth()
	token, bearer := strings.CutPrefix(r.Header.Get("Authorization"), "Bearer ")
	for _, user := range u {
		switch {
		case basic && user.Password != "" && same(user.Name, name) && same(user.Password, password):
			return user, true
		case bearer && user.Token != "" && same(user.Token, token):
			return user, true
		}
	}
	return User{}, false
}

// same compares in a time that says nothing about how far the texts agree.
func same(a, b string) bool {
	x, y := sha256.Sum256([]byte(a)), sha256.Sum256([]byte(b))
	return subtle.ConstantTimeCompare(x[:], y[:]) == 1
}
