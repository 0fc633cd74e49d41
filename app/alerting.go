package app

import (
	ctrl "sigs.k8s.io/controller-runtime"

	kof "portico.dev/portico/api/kof/v1beta1"
	"portico.dev/portico/observability/alert"
	"portico.dev/portico/observability/alert/alertmanager"
	"portico.dev/portico/observability/alert/delivery"
	"portico.dev/portico/observability/alert/vmalert"
)

// alerts is Alertmanager, as the plane asks it.
func (s *stores) alerts() (*alertmanager.Client, error) {
	asker, err := s.client()
	if err != nil {
		return nil, err
	}
	return alertmanager.New(s.site.AlertsURL(), asker), nil
}

// alerting registers the controller of rules and receivers, once what evaluates and sends them serves.
func (s *stores) alerting(mgr ctrl.Manager) error {
	asker, err := s.client()
	if err != nil {
		return err
	}
	defaults, err := alert.Defaults()
	if err != nil {
		return err
	}
	sender, err := s.alerts()
	if err != nil {
		return err
	}
	c := &delivery.Controller{
		Kube: mgr.GetClient(), Live: mgr.GetAPIReader(),
		Settings:  delivery.Settings{Home: kof.Namespace, Region: managementCluster, Defaults: defaults},
		Evaluator: vmalert.Folder{Dir: s.site.RulesFolder(), Reload: vmalert.Reload(s.site.RulesURL(), asker)},
		Receivers: alertmanager.ConfigFile{Path: s.site.AlertsFile(), Reload: sender.Reload},
	}
	s.mu.Lock()
	s.rules = c
	s.mu.Unlock()
	return c.SetupWithManager(mgr)
}
