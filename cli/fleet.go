package cli

import (
	"cmp"
	"context"
	"fmt"
	"net/url"
	"strconv"
	"time"

	"github.com/spf13/cobra"

	"portico.dev/portico/server/inventory"
)

// fleetQuestion is which clusters are wanted.
type fleetQuestion struct {
	search, selector, sort                                   string
	namespaces, regions, owners, templates, versions, states []string
	most                                                     int
}

func fleetCommand(s *session) *cobra.Command {
	c := &cobra.Command{
		Use: "fleet", Short: "Show all clusters at a glance, in all regions",
		Long: `Show the clusters that you may see, in all namespaces and regions, as the management plane has them in memory: a list of
thousands takes no longer than one of ten. Several values of one flag mean any of them, several flags mean all.`,
		Example: `  portico fleet --state broken
  portico fleet --region eu --sort -age
  portico fleet --search "v1.35 team-a" -o json`,
		Args: cobra.NoArgs, ValidArgsFunction: cobra.NoFileCompletions,
	}
	at := s.apiFlags(c)
	out := outputFlag(c)
	var q fleetQuestion
	f := c.Flags()
	f.StringVar(&q.search, "search", "", "words that each have to be in what is shown")
	f.StringVarP(&q.selector, "selector", "l", "", "labels of the ClusterDeployment")
	f.StringVar(&q.sort, "sort", "name", "name, namespace, ready, region, tenant, template, version, services or age; -name is the reverse")
	f.StringSliceVarP(&q.namespaces, "namespace", "n", nil, "namespaces of ClusterDeployments (default: all)")
	f.StringSliceVar(&q.regions, "region", nil, "regions; management for clusters in none")
	f.StringSliceVar(&q.owners, "tenant", nil, "tenants")
	f.StringSliceVar(&q.templates, "template", nil, "ClusterTemplates")
	f.StringSliceVar(&q.versions, "version", nil, "versions of Kubernetes")
	f.StringSliceVar(&q.states, "state", nil, "ok, working or broken")
	f.IntVar(&q.most, "limit", 0, "how many to show (default: all)")
	c.RunE = func(c *cobra.Command, _ []string) error {
		api, err := at.reach(c.Context())
		if err != nil {
			return err
		}
		fleet, err := q.ask(c.Context(), api)
		if err != nil {
			return toldAPI("reading the fleet", err)
		}
		if err := out.print(s.Streams.Out, showFleet(fleet, s.Now())); err != nil {
			return err
		}
		t := fleet.Totals
		if *out == outTable {
			fmt.Fprintf(s.Streams.Err, "%d of %d clusters; %d ok, %d working, %d broken; %d of %d services deployed.\n",
				len(fleet.Items), fleet.Total, t.OK, t.Working, t.Broken, t.Services.Ready, t.Services.Total)
		}
		return nil
	}
	return c
}

func (q fleetQuestion) values() url.Values {
	return given(url.Values{
		"q": {q.search}, "selector": {q.selector}, "sort": {q.sort}, "namespace": q.namespaces, "region": q.regions, "owner": q.owners,
		"template": q.templates, "version": q.versions, "mark": q.states,
	})
}

// given leaves out what is empty.
func given(all url.Values) url.Values {
	for name, values := range all {
		if len(values) == 0 || len(values) == 1 && values[0] == "" {
			delete(all, name)
		}
	}
	return all
}

// ask turns pages until there is no more, or enough.
func (q fleetQuestion) ask(ctx context.Context, api *remoteAPI) (inventory.Fleet, error) {
	var all inventory.Fleet
	query := q.values()
	for {
		left := inventory.MostRows
		if q.most > 0 {
			left = min(left, q.most-len(all.Items))
		}
		query.Set("limit", strconv.Itoa(left))
		var page inventory.Fleet
		if err := api.get(ctx, "/api/v1/fleet", query, &page); err != nil {
			return all, err
		}
		page.Items = append(all.Items, page.Items...)
		all = page
		if all.Continue == "" || q.most > 0 && len(all.Items) >= q.most {
			return all, nil
		}
		query.Set("continue", all.Continue)
	}
}

func showFleet(f inventory.Fleet, now time.Time) shown {
	table := shown{value: f, names: []string{}, columns: []string{"NAMESPACE", "NAME", "READY", "REGION", "TENANT", "TEMPLATE", "VERSION", "SERVICES", "AGE", "MESSAGE"}}
	for _, c := range f.Items {
		table.names = append(table.names, c.Key())
		table.rows = append(table.rows, []string{
			c.Namespace, c.Name, c.Ready, c.Region, c.Tenant, c.Template, cmp.Or(c.KubernetesVersion, "-"), fraction(&c.Services), age(now, c.Created), brief(c.Message),
		})
	}
	return table
}
