package cloud

import (
	"context"
	"errors"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/aws/middleware"
	"github.com/aws/aws-sdk-go-v2/credentials/endpointcreds"
	"github.com/aws/aws-sdk-go-v2/credentials/stscreds"
	"github.com/aws/aws-sdk-go-v2/feature/ec2/imds"
	"github.com/aws/aws-sdk-go-v2/service/ec2"
	"github.com/aws/aws-sdk-go-v2/service/elasticloadbalancing"
	"github.com/aws/aws-sdk-go-v2/service/elasticloadbalancingv2"
	"github.com/aws/aws-sdk-go-v2/service/kms"
	"k8s.io/client-go/pkg/version"
	awsv1 "k8s.io/cloud-provider-aws/pkg/providers/v1"
	awsconfig "k8s.io/cloud-provider-aws/pkg/providers/v1/config"
	"k8s.io/cloud-provider-aws/pkg/providers/v1/iface"

	"tripod/apiserver/launch"
	"tripod/internal/sdkclient"
)

// callTimeout is upstream's for a call of AWS.
const callTimeout = 30 * time.Second

// services are the clients of AWS that the cloud works with (awsv1.Services).
type services struct{ config aws.Config }

func newServices(c launch.Cloud) services {
	config := aws.Config{
		Region: c.Region, BaseEndpoint: &c.URL, HTTPClient: sdkclient.Over(c.FrontSocket, callTimeout),
		// Renewed before their end: they are signed with now and verified later.
		Credentials: aws.NewCredentialsCache(endpointcreds.New("http://localhost/", func(o *endpointcreds.Options) {
			o.HTTPClient = sdkclient.Over(c.CredentialsSocket, callTimeout)
		}), func(o *aws.CredentialsCacheOptions) { o.ExpiryWindow = time.Minute }),
	}
	config.APIOptions = append(config.APIOptions, middleware.AddUserAgentKeyValue("kubernetes", version.Get().String()))
	return services{config}
}

// Compute is awsv1.Services', as are the others. No role is assumed: the credentials are a role's.
func (s services) Compute(context.Context, string, *stscreds.AssumeRoleProvider) (iface.EC2, error) {
	return compute{ec2.NewFromConfig(s.config)}, nil
}

func (s services) LoadBalancing(context.Context, string, *stscreds.AssumeRoleProvider) (awsv1.ELB, error) {
	return elasticloadbalancing.NewFromConfig(s.config), nil
}

func (s services) LoadBalancingV2(context.Context, string, *stscreds.AssumeRoleProvider) (awsv1.ELBV2, error) {
	return elasticloadbalancingv2.NewFromConfig(s.config), nil
}

func (s services) KeyManagement(context.Context, string, *stscreds.AssumeRoleProvider) (awsv1.KMS, error) {
	return kms.NewFromConfig(s.config), nil
}

func (s services) Metadata(context.Context) (awsconfig.EC2Metadata, error) { return noMetadata{}, nil }

// noMetadata is the metadata service where there is no instance.
type noMetadata struct{}

var errNoMetadata = errors.New("a control plane has no instance metadata service")

func (noMetadata) GetMetadata(context.Context, *imds.GetMetadataInput, ...func(*imds.Options)) (*imds.GetMetadataOutput,
	error) {
	return nil, errNoMetadata
}

func (noMetadata) GetRegion(context.Context, *imds.GetRegionInput, ...func(*imds.Options)) (*imds.GetRegionOutput,
	error) {
	return nil, errNoMetadata
}
