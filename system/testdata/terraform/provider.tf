terraform {
  required_providers {
    aws = {
      source  = "hashicorp/aws"
      version = "5.100.0"
    }
  }
}
variable "endpoint" {}
variable "extra" { default = "one" }
variable "kubernetes" { default = "1.35" }
provider "aws" {
  region                  = "us-east-1"
  skip_metadata_api_check = true
  endpoints {
    cloudwatch  = var.endpoint
    ec2         = var.endpoint
    efs         = var.endpoint
    fis         = var.endpoint
    sts         = var.endpoint
    iam         = var.endpoint
    eks         = var.endpoint
    kms         = var.endpoint
    logs        = var.endpoint
    autoscaling = var.endpoint
    elb         = var.endpoint
    elbv2       = var.endpoint
  }
}
