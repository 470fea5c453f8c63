package main

import (
	"context"
	"fmt"
	"net/http"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/eks"
	"github.com/aws/aws-sdk-go-v2/service/eks/types"
	"github.com/aws/aws-sdk-go-v2/service/iam"

	"tripod/api"
	"tripod/client"
)

const (
	services = "/api/v1/namespaces/default/services"
	claims   = "/api/v1/namespaces/default/persistentvolumeclaims"
	classes  = "/apis/storage.k8s.io/v1/storageclasses"
)

// measureServices notes how long a Service of the type LoadBalancer takes to its first answer, and a claim until it is bound.
func (b *bench) measureServices(ctx context.Context, r *region) error {
	p, err := r.probe(ctx, 10*time.Second)
	if err != nil {
		return err
	}
	if err := r.waitFor(ctx, "region", client.ForHealthy); err != nil {
		return err
	}
	if _, err := webPods(ctx, p, targetPods, nil); err != nil {
		return err
	}
	if err := r.installDriver(ctx); err != nil {
		return fmt.Errorf("the driver of volumes: %w", err)
	}
	class := map[string]any{"apiVersion": "storage.k8s.io/v1", "kind": "StorageClass", "metadata": map[string]any{"name": "bench"},
		"provisioner": "ebs.csi.aws.com", "volumeBindingMode": "Immediate"}
	if err := p.do(ctx, http.MethodPost, classes, class, nil); err != nil {
		return err
	}
	if _, err := bindClaim(ctx, p, "first"); err != nil { // the driver and its role are there from then on
		return err
	}
	for i := range b.runs {
		took, err := answerService(ctx, r, p, fmt.Sprintf("bench-%d", i))
		if err != nil {
			return err
		}
		b.report.addTripod(serviceAnswers, took.Seconds())
		b.say("a Service of the type LoadBalancer answered after %.2f s", took.Seconds())
		if took, err = bindClaim(ctx, p, fmt.Sprintf("bench-%d", i)); err != nil {
			return err
		}
		b.report.addTripod(claimBound, took.Seconds())
		b.say("a claim was bound after %.2f s", took.Seconds())
	}
	return nil
}

// installDriver installs the add-on of EBS with the role that it needs.
func (r *region) installDriver(ctx context.Context) error {
	config, err := r.awsConfig(ctx)
	if err != nil {
		return err
	}
	calls := iam.NewFromConfig(config)
	role, err := calls.CreateRole(ctx, &iam.CreateRoleInput{RoleName: aws.String("bench-ebs"), AssumeRolePolicyDocument: aws.String(
		`{"Version":"2012-10-17","Statement":{"Effect":"Allow","Principal":{"Service":"pods.eks.amazonaws.com"},` +
			`"Action":["sts:AssumeRole","sts:TagSession"]}}`)})
	if err != nil {
		return err
	}
	if _, err := calls.AttachRolePolicy(ctx, &iam.AttachRolePolicyInput{RoleName: role.Role.RoleName,
		PolicyArn: aws.String("arn:aws:iam::aws:policy/service-role/AmazonEBSCSIDriverPolicy")}); err != nil {
		return err
	}
	_, err = eks.NewFromConfig(config).CreateAddon(ctx, &eks.CreateAddonInput{ClusterName: aws.String("demo"),
		AddonName: aws.String("aws-ebs-csi-driver"), PodIdentityAssociations: []types.AddonPodIdentityAssociations{{
			ServiceAccount: aws.String("ebs-csi-controller-sa"), RoleArn: role.Role.Arn}}})
	return err
}

// answerService makes a Service and returns after how long it is answered by its own name.
func answerService(ctx context.Context, r *region, p *probe, name string) (time.Duration, error) {
	body := map[string]any{"apiVersion": "v1", "kind": "Service", "metadata": map[string]any{"name": name},
		"spec": map[string]any{"type": "LoadBalancer", "selector": map[string]any{"app": "web"},
			"ports": []any{map[string]any{"port": 80, "targetPort": 80}}}}
	begin := time.Now()
	if err := p.do(ctx, http.MethodPost, services, body, nil); err != nil {
		return 0, err
	}
	var s struct {
		Status struct {
			LoadBalancer struct{ Ingress []struct{ Hostname string } }
		}
	}
	answered, err := until(ctx, time.Minute, "the Service's answer", func() error {
		if err := p.do(ctx, http.MethodGet, services+"/"+name, nil, &s); err != nil {
			return err
		}
		if len(s.Status.LoadBalancer.Ingress) == 0 {
			return fmt.Errorf("it has no hostname")
		}
		host := s.Status.LoadBalancer.Ingress[0].Hostname
		shown, err := r.balancer(ctx, func(b api.LoadBalancer) bool { return b.DNSName == host })
		if err != nil {
			return err
		}
		v, err := visit(ctx, shown.Listeners[0].Address, host)
		if err != nil {
			return err
		}
		defer v.conn.Close()
		return v.ask()
	})
	if err != nil {
		return 0, err
	}
	return answered.Sub(begin), p.do(ctx, http.MethodDelete, services+"/"+name, nil, nil)
}

// bindClaim makes a claim and returns after how long it is bound.
func bindClaim(ctx context.Context, p *probe, name string) (time.Duration, error) {
	body := map[string]any{"apiVersion": "v1", "kind": "PersistentVolumeClaim", "metadata": map[string]any{"name": name},
		"spec": map[string]any{"accessModes": []any{"ReadWriteOnce"}, "storageClassName": "bench",
			"resources": map[string]any{"requests": map[string]any{"storage": "1Gi"}}}}
	begin := time.Now()
	if err := p.do(ctx, http.MethodPost, claims, body, nil); err != nil {
		return 0, err
	}
	var c struct{ Status struct{ Phase string } }
	bound, err := until(ctx, time.Minute, "the claim "+name, func() error {
		if err := p.do(ctx, http.MethodGet, claims+"/"+name, nil, &c); err != nil {
			return err
		}
		if c.Status.Phase != "Bound" {
			return fmt.Errorf("it is %s", c.Status.Phase)
		}
		return nil
	})
	return bound.Sub(begin), err
}
