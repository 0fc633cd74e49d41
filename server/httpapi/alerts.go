package httpapi

import (
	"context"
	"encoding/json"
	"fmt"
	"net/http"
	"time"

	"portico.dev/portico/fleet"
	"portico.dev/portico/observability/alert/alertmanager"
	"portico.dev/portico/observability/cost/budget"
	"portico.dev/portico/observability/store"
	"portico.dev/portico/server/rights"
	"portico.dev/portico/server/signin"
)

// Alerter knows alerts and silences, and shows each scope its own. What cannot be is an error of kind
// fleet.ErrInvalid, what is not there one of kind fleet.ErrNotYet.
type Alerter interface {
	Alerts(ctx context.Context, in store.Scope) ([]alertmanager.Alert, error)
	Silences(ctx context.Context, in store.Scope) ([]alertmanager.Silence, error)
	Silence(ctx context.Context, in store.Scope, s alertmanager.Silence) (id string, err error)
	Expire(ctx context.Context, in store.Scope, id string) error
}

// Alerts are what is wrong, as the rules see it.
type Alerts struct {
	Alerts []alertmanager.Alert `json:"alerts"`
}

// Silences hide alerts for a time.
type Silences struct {
	Silences []alertmanager.Silence `json:"silences"`
}

// Created names what was made.
type Created struct {
	ID string `json:"id"`
}

func (s *server) alerts(w http.ResponseWriter, r *http.Request) error {
	if s.Alerts == nil {
		return absent("there are no alerts")
	}
	all, err := s.Alerts.Alerts(r.Context(), rights.From(r.Context()))
	if err != nil {
		return err
	}
	return write(w, Alerts{append([]alertmanager.Alert{}, all...)})
}

func (s *server) silences(w http.ResponseWriter, r *http.Request) error {
	if s.Alerts == nil {
		return absent("there are no alerts")
	}
	all, err := s.Alerts.Silences(r.Context(), rights.From(r.Context()))
	if err != nil {
		return err
	}
	return write(w, Silences{append([]alertmanager.Silence{}, all...)})
}

// silence creates or changes a silence. Who made it is who asks, whatever the request says.
func (s *server) silence(w http.ResponseWriter, r *http.Request) error {
	if s.Alerts == nil {
		return absent("there are no alerts")
	}
	if err := s.mayChange(r); err != nil {
		return err
	}
	var wanted alertmanager.Silence
	if err := json.NewDecoder(r.Body).Decode(&wanted); err != nil {
		return fmt.Errorf("%w: reading the silence: %w", fleet.ErrInvalid, err)
	}
	wanted.CreatedBy = signin.From(r.Context()).Name
	if wanted.StartsAt.IsZero() {
		wanted.StartsAt = s.Clock().UTC()
	}
	id, err := s.Alerts.Silence(r.Context(), rights.From(r.Context()), wanted)
	if err != nil {
		return err
	}
	w.Header().Set("Content-Type", "application/json")
	w.WriteHeader(http.StatusCreated)
	return write(w, Created{id})
}

func (s *server) expire(w http.ResponseWriter, r *http.Request) error {
	if s.Alerts == nil {
		return absent("there are no alerts")
	}
	if err := s.mayChange(r); err != nil {
		return err
	}
	if err := s.Alerts.Expire(r.Context(), rights.From(r.Context()), r.PathValue("id")); err != nil {
		return err
	}
	w.WriteHeader(http.StatusNoContent)
	return nil
}

// mayChange lets those silence alerts, and end silences, who may change what the alerts are about: who may
// only look must not keep others from hearing of it.
func (s *server) mayChange(r *http.Request) error {
	return s.Judge.Changes(r.Context(), signin.From(r.Context()), rights.From(r.Context()))
}

// Budgets are the limits of this month, and how they stand.
type Budgets struct {
	Budgets []Budget `json:"budgets"`
}

// Budget is a limit, what was spent, and what the month will probably come to.
type Budget struct {
	// Name is namespace/name of the Budget.
	Name string `json:"name"`
	For  string `json:"for"`
	// Tenant is whose alerts those about it are.
	Tenant string `json:"tenant"`
	// Month is its first day; empty as long as nothing is judged.
	Month    string  `json:"month,omitempty"`
	Currency string  `json:"currency"`
	Limit    float64 `json:"limit"`
	Spent    float64 `json:"spent"`
	// Crossed are the thresholds that were reached, in percent.
	Crossed []int `json:"crossed"`
	// Expected is the forecast of the whole month, which lies between Low and High in four cases
	// of five.
	Expected float64         `json:"expected"`
	Low      float64         `json:"low"`
	High     float64         `json:"high"`
	Sureness budget.Sureness `json:"sureness"`
	Standing budget.Standing `json:"standing"`
	Message  string          `json:"message"`
}

func (s *server) budgets(w http.ResponseWriter, r *http.Request) error {
	if s.Budgets == nil {
		return absent("there are no budgets")
	}
	all, err := s.Budgets(r.Context(), rights.From(r.Context()))
	if err != nil {
		return err
	}
	answer := Budgets{Budgets: make([]Budget, 0, len(all))}
	for _, j := range all {
		month := ""
		if !j.Month.Empty() {
			month = j.Month.Start.UTC().Format(time.DateOnly)
		}
		answer.Budgets = append(answer.Budgets, Budget{
			Name: j.Budget.Name, For: j.Budget.For.String(), Tenant: string(j.Tenant), Month: month, Currency: j.Budget.Currency,
			Limit: j.Budget.Limit.Float(), Spent: j.Spent.Float(), Crossed: append([]int{}, j.Crossed...),
			Expected: j.Expected.Total.Float(), Low: j.Expected.Low.Float(), High: j.Expected.High.Float(), Sureness: j.Expected.Sureness, Standing: j.Standing, Message: j.Message,
		})
	}
	return write(w, answer)
}
