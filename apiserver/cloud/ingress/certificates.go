package ingress

import (
	"context"
	"fmt"
	"maps"
	"slices"
	"strings"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/acm"
	acmtypes "github.com/aws/aws-sdk-go-v2/service/acm/types"
	networkingv1 "k8s.io/api/networking/v1"
)

// certificatesLast is for how long what is known of the account's certificates is believed, as the AWS Load Balancer
// Controller has it.
const certificatesLast = time.Minute

// issued are the certificates of an account that are issued.
type issued struct {
	read    time.Time
	domains map[string][]string // by ARN
}

// issued asks ACM for them.
func (c Cloud) issued(ctx context.Context) (all issued, err error) {
	all = issued{read: time.Now(), domains: map[string][]string{}}
	pages := acm.NewListCertificatesPaginator(c.Certificates, &acm.ListCertificatesInput{
		CertificateStatuses: []acmtypes.CertificateStatus{acmtypes.CertificateStatusIssued},
		Includes:            &acmtypes.Filters{KeyTypes: acmtypes.KeyAlgorithm("").Values()}})
	for pages.HasMorePages() {
		page, err := pages.NextPage(ctx)
		if err != nil {
			return all, err
		}
		for _, one := range page.CertificateSummaryList {
			shown, err := c.Certificates.DescribeCertificate(ctx, &acm.DescribeCertificateInput{CertificateArn: one.CertificateArn})
			if err != nil {
				return all, err
			}
			all.domains[aws.ToString(one.CertificateArn)] = shown.Certificate.SubjectAlternativeNames
		}
	}
	return all, nil
}

// forHosts are the ARNs of those that are for any of the hosts; each host needs one.
func (all issued) forHosts(hosts []string) ([]string, error) {
	found := map[string]bool{}
	for _, host := range hosts {
		none := true
		for arn, domains := range all.domains {
			if slices.ContainsFunc(domains, func(domain string) bool { return isFor(domain, host) }) {
				found[arn], none = true, false
			}
		}
		if none {
			return nil, fmt.Errorf("no certificate found for host: %s", host)
		}
	}
	return slices.Sorted(maps.Keys(found)), nil
}

// isFor says whether a certificate's domain is a host's: a star stands for its first label.
func isFor(domain, host string) bool {
	rest, starred := strings.CutPrefix(domain, "*.")
	if !starred {
		return domain == host
	}
	_, ofHost, dotted := strings.Cut(host, ".")
	return dotted && rest == ofHost
}

// hostsOf are those of an Ingress' rules and of its TLS settings.
func hostsOf(i *networkingv1.Ingress) []string {
	hosts := map[string]bool{}
	for _, r := range i.Spec.Rules {
		if r.Host != "" {
			hosts[r.Host] = true
		}
	}
	for _, t := range i.Spec.TLS {
		for _, host := range t.Hosts {
			hosts[host] = true
		}
	}
	return slices.Sorted(maps.Keys(hosts))
}

// round is the controller during one of its rounds.
type round struct {
	*Controller
	ctx context.Context
}

// certificates are the ARNs of those that are for any of the hosts.
func (r round) certificates(hosts []string) ([]string, error) {
	if time.Since(r.issued.read) > certificatesLast {
		all, err := r.cloud.issued(r.ctx)
		if err != nil {
			return nil, fmt.Errorf("list the certificates: %s", sentence(err))
		}
		r.issued = all
	}
	return r.issued.forHosts(hosts)
}
